/** The contract, kept by SSH: ssh2's own client and server on both ends, over streams in memory and without an sshd. */
import { generateKeyPairSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type Speaker, conformance } from '@sluice/testkit';
import ssh2 from 'ssh2';
import { describe, test } from 'vitest';
import { hostKeyFrom, ssh } from '../src/index.js';

const { Client, Server, utils } = ssh2;
const GATEWAY_KEY = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const TARGET_KEY = utils.generateKeyPairSync('ed25519').private;
const PASSWORD = 'of the target';

/** What a target was asked to run, by the stream that leads to it. */
const understood = new WeakMap<Duplex, string[]>();

/** A target that runs `echo`. */
function dial(): Duplex {
  const [near, far] = duplexPair({ allowHalfOpen: false });
  // A pair of streams says nothing to one half when the other is destroyed, which is what sockets do.
  near.on('close', () => far.destroy());
  far.on('close', () => near.destroy());
  for (const side of [near, far]) side.on('error', () => undefined);
  const commands: string[] = [];
  understood.set(near, commands);
  const server = new Server({ hostKeys: [TARGET_KEY] }, (peer) => {
    peer.on('error', () => undefined);
    peer.on('authentication', (context) => {
      if (context.method === 'password' && context.password === PASSWORD) context.accept();
      else context.reject(['password']);
    });
    peer.on('session', (accept) =>
      accept().on('exec', (take, _, { command }) => {
        commands.push(command);
        const channel = take();
        channel.write(command.replace('echo ', ''));
        channel.exit(0);
        channel.end();
      }),
    );
  });
  server.injectSocket(far as Socket);
  return near;
}

/** ssh2's client. */
const speaker: Speaker = {
  open(stream, secret) {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Speaker['open']>>>();
    const client = new Client();
    let failed: (error: Error) => void = reject;
    client.on('error', (error) => failed(error));
    client.on('close', () => failed(new Error('the connection is closed')));
    client.on('ready', () =>
      resolve({
        run: (command) =>
          new Promise((done, fail) => {
            failed = fail;
            client.exec(command, (error, channel) => {
              if (error) return fail(error);
              let [out, err] = ['', ''];
              channel.on('data', (bytes: Buffer) => (out += bytes.toString()));
              channel.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
              channel.on('close', (status: number | undefined) => (status === 0 ? done(out) : fail(new Error(err))));
            });
          }),
        close: async () => void client.end(),
      }),
    );
    client.connect({ sock: stream, username: 'target', password: secret });
    return promise;
  },
};

describe('ssh keeps the contract', () => {
  const specimen = {
    protocol: ssh({ hostKeys: { 'ssh-ed25519': hostKeyFrom(GATEWAY_KEY) } }),
    speaker,
    target: {
      host: 'target',
      user: 'vm',
      password: PASSWORD,
      tls: 'disable' as const,
      ssh: {
        hostKeyAlgorithms: ['ssh-ed25519'],
        refuses: () => undefined,
        proven: () => undefined,
        shell: 'sh' as const,
      },
    },
    dial: async () => dial(),
    understood: (target: Duplex) => understood.get(target)?.join('\n') ?? '',
    command: (marker: string) => `echo ${marker}`,
  };
  for (const { name, run } of conformance(specimen)) test(name, run);
});
