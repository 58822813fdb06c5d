import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { isPackaged } from '@sluice/config';
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
  return { server, address: format(server.address() as AddressInfo) };
}

export async function listening(server: Server, path: string, address: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => reject(new ListenError(path, address, port, error)));
  server.listen({ host: address, port, backlog: 4096 }, resolve);
  await promise;
}

/** A port that could not be opened, in words. */
export class ListenError extends Error {
  constructor(path: string, address: string, port: number, cause: NodeJS.ErrnoException) {
    const why =
      cause.code === 'EADDRINUSE'
        ? 'another program has it. Stop that one, or choose another port'
        : cause.code === 'EACCES'
          ? 'this user may not open it. Ports below 1024 are for root; choose a higher one'
          : cause.code === 'EADDRNOTAVAIL'
            ? 'this machine does not have that address. Choose another'
            : cause.message;
    super(`Port ${port} on ${address} cannot be opened: ${why} (${path} in the configuration).`);
  }
}

const format = ({ address, port, family }: AddressInfo): string =>
  family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
