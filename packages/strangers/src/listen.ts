/** Opening a port. Owns: the sentence where that fails. Does not: what is done with whoever comes. */
import type { AddressInfo, Server } from 'node:net';

/** Resolves once the port is open. Rejects with a ListenError; `path` is where the configuration has it. */
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

/** `host:port`, IPv6 in brackets. */
export const placeOf = ({ address, port, family }: AddressInfo): string =>
  family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
