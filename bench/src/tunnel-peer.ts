import { type Server, createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { WEBSOCKET_LIMITS, Tunnel, webSocketTransport } from '@sluice/tunnel';
import { WebSocketServer } from 'ws';

/**
 * The other process of the tunnel benchmark. Says its ports on standard output as JSON: `target`, which sends
 * the number of bytes that it is asked for or echoes; `tunnel`, whose streams are joined to it; `bare`, a WebSocket that does the same alone.
 */
async function main(): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const target = createTcpServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (wish) => {
      let left = Number(wish.toString());
      if (left === 0) {
        socket.write(wish);
        socket.on('data', (bytes) => socket.write(bytes));
        return;
      }
      const fill = (): void => {
        while (left > 0) {
          const size = Math.min(left, chunk.length);
          left -= size;
          if (!socket.write(chunk.subarray(0, size))) return;
        }
        socket.end();
      };
      socket.on('drain', fill);
      fill();
    });
  });
  const tcp = await listening(target);
  const tunnel = createServer();
  new WebSocketServer({ ...WEBSOCKET_LIMITS, server: tunnel }).on('connection', (socket) => {
    const open = new Tunnel({
      transport: webSocketTransport(socket),
      peer: 'the bench',
      onOpen: (opening) => {
        const upstream = connect({ port: tcp, host: '127.0.0.1', noDelay: true }, () => {
          const stream = opening.accept(Buffer.alloc(0));
          if (!stream) return;
          stream.pipe(upstream).pipe(stream);
          stream.on('close', () => upstream.destroy());
        });
        upstream.on('error', () => undefined);
      },
    });
    open.ready.catch(() => undefined);
  });
  const bare = createServer();
  new WebSocketServer({ ...WEBSOCKET_LIMITS, server: bare }).on('connection', (socket) => {
    const upstream = connect({ port: tcp, host: '127.0.0.1', noDelay: true });
    upstream.on('error', () => undefined);
    socket.on('message', (data) => upstream.write(data as Buffer));
    upstream.on('data', (bytes) => {
      socket.send(bytes, () => upstream.resume());
      if (socket.bufferedAmount > 1024 * 1024) upstream.pause();
    });
    upstream.on('end', () => socket.close());
    socket.on('close', () => upstream.destroy());
  });
  process.stdout.write(
    `${JSON.stringify({ target: tcp, tunnel: await listening(tunnel), bare: await listening(bare) })}\n`,
  );
}

function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  return promise;
}

await main();
