/** Opens one port. Owns: the sentence when it cannot. Does not: accept anybody (gateway.ts). */
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { isPackaged } from '@sluice/config';
import { listening, placeOf } from '@sluice/strangers';
import type { Listener } from './services.js';

export interface Bound {
  readonly server: Server;
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
}

/** Opens one port. Rejects with a sentence when it cannot. */
export async function listen(
  listener: Listener,
  address: string,
  port: number,
  accept: (socket: Socket, listener: Listener) => void,
): Promise<Bound> {
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => accept(socket, listener));
  const { name } = listener.protocol;
  await listening(server, `listeners.${isPackaged(name) ? 'packages' : name}`, address, port);
  return { server, address: placeOf(server.address() as AddressInfo) };
}
