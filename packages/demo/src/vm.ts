import { join } from 'node:path';
import { userInfo } from 'node:os';
import type { Config, ConnectionConfig } from '@sluice/config';
import { type SshdServer, missingSshd, startSshd } from '@sluice/testkit';
import type { Gateway } from '@sluice/gateway';

const NAME = 'vm';

/** Why the demo has no machine; undefined when it can have one. */
export function missingVm(config: Config): string | undefined {
  if (
    config.connections.get(NAME)?.protocol !== 'ssh' ||
    !config.listeners.clients.some((one) => one.protocol === 'ssh')
  ) {
    return `there is no connection "${NAME}" for SSH in sluice.yaml`;
  }
  return missingSshd();
}

/** The connection with the machine's port and the user that started it; without a port, the connection is left out. */
export function withVm(config: Config, port: number | undefined): Config {
  const connections = new Map(config.connections);
  const vm = connections.get(NAME);
  if (vm?.protocol === 'ssh') {
    if (port === undefined) connections.delete(NAME);
    else connections.set(NAME, placed(vm, port));
  }
  return { ...config, connections };
}

const placed = (vm: ConnectionConfig, port: number): ConnectionConfig => ({
  ...vm,
  target: { ...vm.target, port },
  credential: { ...vm.credential, user: userInfo().username },
});

/** Starts the machine: it trusts the authority of the gateway, which shows a certificate at each login. */
export async function startVm(gateway: Gateway, folder: string, port: number): Promise<SshdServer | string> {
  try {
    return await startSshd({
      folder: join(folder, NAME),
      port,
      unprivileged: true,
      userCa: gateway.sshKeys.authorityLine,
    });
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? 'sshd does not start';
  }
}
