/**
 * What Node itself takes for what `http.ts` measures: relays that look at nothing. By HTTP/1.1 and WebSocket they pass bytes on, by HTTP/2 they are
 * node:http2 with a head and a body for each stream. Says its ports on one line. Arguments: ports of the service and of the WebSocket server.
 */
import { once } from 'node:events';
import { type ServerHttp2Stream, createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

const [service = 0, echo = 0] = process.argv.slice(2).map(Number);
const HEAD_END = '\r\n\r\n';

/** Bytes on, in both directions. */
const relayTo = (port: number): Server =>
  createServer({ noDelay: true }, (client) => {
    const target = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.on('data', (bytes) => to.write(bytes));
      from.on('close', () => to.destroy());
      from.on('error', () => undefined);
    }
  });

const idle: Socket[] = [];

/** Asks the service on a connection that is used again. Its answers say how long they are. */
function ask(done: (body: Buffer) => void): void {
  const socket = idle.pop() ?? connect({ port: service, host: '127.0.0.1', noDelay: true });
  let came: Buffer = Buffer.alloc(0);
  const receive = (bytes: Buffer): void => {
    came = came.length === 0 ? bytes : Buffer.concat([came, bytes]);
    const end = came.indexOf(HEAD_END);
    if (end < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(came.toString('latin1', 0, end))?.[1]);
    const body = came.subarray(end + HEAD_END.length);
    if (body.length < length) return;
    socket.off('data', receive);
    idle.push(socket);
    done(body);
  };
  socket.on('data', receive);
  socket.write('GET /x HTTP/1.1\r\nHost: bench\r\n\r\n');
}

const answer = (stream: ServerHttp2Stream): void => {
  stream.on('error', () => undefined);
  ask((body) => {
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': body.length });
    stream.end(body);
  });
};

const servers = {
  h1: relayTo(service),
  h2: createHttp2().on('stream', answer),
  ws: relayTo(echo),
};
const ports: Record<string, number> = {};
for (const [name, server] of Object.entries(servers)) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ports[name] = (server.address() as AddressInfo).port;
}
process.stdout.write(`${JSON.stringify(ports)}\n`);
