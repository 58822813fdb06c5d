/** What ssh2 makes possible in forty lines: a server that logs in at a target and pipes, without a look at anything. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';

const [targetPort = '', keyFile = '', user = ''] = process.argv.slice(2);
const privateKey = readFileSync(keyFile);
const { private: hostKey } = ssh2.utils.generateKeyPairSync('ed25519');

const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
  (client as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true);
  client.on('error', () => undefined);
  client.on('authentication', (context) => context.accept());
  client.on('ready', () => {
    const target = new ssh2.Client();
    client.on('close', () => target.end());
    target.on('error', () => client.end());
    const ready = new Promise<void>((resolve) => target.once('ready', resolve));
    target.connect({ host: '127.0.0.1', port: Number(targetPort), username: user, privateKey });
    client.on('session', (accept) => {
      accept().on('exec', (take, _refuse, { command }) => {
        const near = take();
        void ready.then(() => {
          target.setNoDelay(true);
          target.exec(command, (_error, far) => {
            far.pipe(near, { end: false });
            far.on('close', (code: number | null) => {
              near.exit(code ?? 0);
              near.end();
            });
            far.stderr.pipe(near.stderr);
            near.pipe(far);
          });
        });
      });
    });
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
