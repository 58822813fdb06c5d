/** Ports that a configuration names: whether they can be opened, where no gateway has them. Does not: keep them open. */
import { createServer } from 'node:net';
import type { Config } from '@sluice/config';
import { type Finding, failed, ok } from './finding.js';

interface Port {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** Looks at all of them, whatever is wrong with one. `running`: the gateway that has them runs here. */
export async function examinePorts(config: Config, running: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const one of portsOf(config)) {
    const about = `${one.address}:${one.port} (${one.name})`;
    const problem = one.port === 0 ? undefined : await problemOf(one);
    if (running && problem === 'EADDRINUSE') findings.push(ok('port', about, 'open'));
    else if (problem === undefined)
      findings.push(
        running && one.port !== 0
          ? failed('port', about, 'nothing listens there', 'The file has changed: a restart of the gateway opens it.')
          : ok('port', about, 'free'),
      );
    else
      findings.push(
        failed('port', about, inWords(problem), `Stop the other program, or choose another port (${one.name}).`),
      );
  }
  return findings;
}

function portsOf({ listeners, control }: Config): Port[] {
  const clients = listeners.clients.flatMap(({ protocol, addresses, port, ports = [] }) =>
    addresses.flatMap((address) => [
      { name: `listeners.${protocol}`, address, port },
      ...ports.map((own) => ({ name: `listeners.${protocol}.ports.${own.connection}`, address, port: own.port })),
    ]),
  );
  const agents = listeners.agents?.addresses.map((address) => ({
    name: 'listeners.agents',
    address,
    port: listeners.agents?.port ?? 0,
  }));
  return [...clients, ...(agents ?? []), { name: 'control', ...control }];
}

function problemOf({ address, port }: Port): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
  server.listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it',
  EACCES: 'this user may not open it',
  EADDRNOTAVAIL: 'this machine does not have that address',
};
const inWords = (code: string): string => WORDS[code] ?? code;
