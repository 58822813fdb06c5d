/** What somebody who has proven nothing sends. */
import { type Socket, connect } from 'node:net';

export interface Dialled {
  readonly socket: Socket;
  /** All that came until the other end closed, as latin1. */
  readonly closed: Promise<string>;
}

/** A connection from an address of this machine. It may be reset. */
export function dial(port: number, from = '127.0.0.2', bytes?: Uint8Array): Dialled {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  socket.on('error', () => undefined);
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(got)));
  if (bytes) socket.write(bytes);
  return { socket, closed };
}

export const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** The first packet of PostgreSQL's protocol 3.0. */
export function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [name, value]);
  const body = Buffer.from(`${pairs.join('\0')}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length);
  head.writeInt32BE(3 << 16, 4);
  return Buffer.concat([head, body]);
}

/** A PasswordMessage. */
export function passwordMessage(password: string): Buffer {
  const head = Buffer.from([0x70, 0, 0, 0, 0]);
  head.writeInt32BE(5 + Buffer.byteLength(password), 1);
  return Buffer.concat([head, Buffer.from(`${password}\0`)]);
}

/** One login with a wrong token, sent in the clear. */
export const wrongLogin = (port: number, user: string, from?: string): Promise<string> =>
  dial(
    port,
    from,
    Buffer.concat([startup({ user, database: 'db', options: '-c sluice.login=password' }), passwordMessage('wrong')]),
  ).closed;
