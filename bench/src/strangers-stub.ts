/** Accepts and closes: what attackers cost whoever does nothing at all for them. Says its port. */
import { type AddressInfo, createServer } from 'node:net';

const server = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.destroy();
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`),
);
