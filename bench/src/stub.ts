import { type AddressInfo, createServer } from 'node:net';

/** A target that logs everybody in and then says nothing: enough to hold a thousand sessions open without a thousand backends. */
export async function openStub(): Promise<{ port: number; close(): void }> {
  const message = (tag: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(tag, 'latin1');
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const hello = Buffer.concat([
    message('R', Buffer.alloc(4)),
    message('S', Buffer.from('server_version\x0018.0\0')),
    message('S', Buffer.from('client_encoding\0UTF8\0')),
    message('S', Buffer.from('standard_conforming_strings\0on\0')),
    message('K', Buffer.alloc(8)),
    message('Z', Buffer.from('I')),
  ]);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(hello);
      socket.resume();
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
