/** The ports of a configuration. Owns: which protocol, TLS and settings each one has. Does not: serve (gateway.ts). */
import type { Server, Socket } from 'node:net';
import { type Config, type ListenerConfig, protocolNamed } from '@sluice/config';
import { type AgentListener, type Agents, listenForAgents } from '@sluice/agents';
import { listen } from './listener.js';
import type { Log } from '@sluice/audit';
import type { LoadedPackage } from '@sluice/packaged';
import { loadProtocol } from './protocols.js';
import type { Listener } from './services.js';
import type { SshKeys } from './ssh/keys.js';
import { type HandshakeTurns, type ServerTls, type StrangerSockets, selfSigned, serverTls } from '@sluice/strangers';

/** A port that is open. */
export interface OpenPort {
  readonly server: Server | AgentListener;
  /** The protocol, or `agents`. */
  readonly name: string;
  /** `host:port` */
  readonly address: string;
}

interface ListenerServices {
  readonly packages: readonly LoadedPackage[];
  readonly sshKeys: SshKeys;
  readonly agents: Agents;
  readonly log: Log;
  readonly strangers: StrangerSockets;
  readonly handshakes: HandshakeTurns;
}

type Accept = (socket: Socket, listener: Listener) => void;

/** Opens every port of the configuration, one after the other. Throws with a sentence when one cannot be opened. */
export async function* openListeners(
  { listeners, data }: Config,
  services: ListenerServices,
  accept: Accept,
): AsyncGenerator<OpenPort> {
  const packaged = new Map(services.packages.map(({ name, protocol }) => [name, protocol]));
  const hostKeys = { 'ssh-ed25519': services.sshKeys.hostKey };
  const info = (sentence: string): void => services.log.operator.info(sentence);
  for (const one of listeners.clients) {
    const protocol = await loadProtocol(one.protocol, packaged, { hostKeys, listener: one, info });
    const { traits } = protocolNamed(one.protocol);
    const { login, requireTls } = one;
    const listener: Listener = { protocol, traits, tls: await tlsOf(one, data), login, requireTls };
    yield* open(listener, one, accept);
    for (const { connection, port } of one.ports ?? [])
      yield* open({ ...listener, connection }, { addresses: one.addresses, port }, accept);
  }
  if (listeners.agents) yield* openForAgents(listeners.agents, data, services);
}

async function* open(
  listener: Listener,
  { addresses, port }: Pick<ListenerConfig, 'addresses' | 'port'>,
  accept: Accept,
): AsyncGenerator<OpenPort> {
  for (const address of addresses) {
    const bound = await listen(listener, address, port, accept);
    yield { ...bound, name: listener.protocol.name };
  }
}

async function* openForAgents(
  { addresses, port, tls }: NonNullable<Config['listeners']['agents']>,
  data: string,
  services: ListenerServices,
): AsyncGenerator<OpenPort> {
  const own = tls === 'self-signed' ? await selfSigned(data) : undefined;
  const given = tls === 'off' || tls === 'self-signed' ? own : { certificate: tls.cert, key: tls.key };
  for (const address of addresses) {
    const server = await listenForAgents(services, given, address, port);
    yield { server, name: 'agents', address: server.address };
  }
}

async function tlsOf({ tls, clientCertificates }: ListenerConfig, data: string): Promise<ServerTls | undefined> {
  if (tls === 'off') return undefined;
  if (tls !== 'self-signed') return serverTls(tls.cert, tls.key, clientCertificates);
  const { certificate, key } = await selfSigned(data);
  return serverTls(certificate, key, clientCertificates);
}
