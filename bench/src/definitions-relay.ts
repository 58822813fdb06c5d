/**
 * A relay that copies bytes and does nothing else: what of the costs of a gateway is Node and one more process. Owns: the relay, a process
 * of its own. Speaks nothing.
 */
import { connect, createServer } from 'node:net';

const [target = ''] = process.argv.slice(2);
createServer((client) => {
  const server = connect(Number(target), '127.0.0.1');
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
  }
}).listen(0, '127.0.0.1', function (this: import('node:net').Server) {
  const address = this.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
