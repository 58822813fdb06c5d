/**
 * The least that a relay costs in Node: two sockets, and each chunk written as it comes. `node relay.js PORT TARGET_PORT`. Reads nothing,
 * judges nothing, and puts nothing on record.
 */
import { type Socket, connect, createServer } from 'node:net';

const [port = 0, target = 0] = process.argv.slice(2).map(Number);

function pass(from: Socket, to: Socket): void {
  from.setNoDelay(true);
  from.on('data', (chunk) => {
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
}

createServer({ allowHalfOpen: true }, (client) => {
  const upstream = connect({ host: '127.0.0.1', port: target, allowHalfOpen: true });
  pass(client, upstream);
  pass(upstream, client);
}).listen(port, '127.0.0.1');
