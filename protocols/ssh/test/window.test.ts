/**
 * Windows are what bounds memory: a peer that sends more than it was granted is cut off. Checked for the relay's own channels,
 * and for ssh2's Client and Server, whose check the patch in patches/ repairs.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import type { Channel, ChannelEvents } from '../src/channel.js';
import { systemClock } from '../src/clock.js';
import { ChannelMux, type MuxEvents } from '../src/channel-mux.js';
import { hostKeyFrom } from '../src/private-keys.js';
import { Transport } from '../src/transport.js';

const { Client, Server, utils } = ssh2;
const WINDOW = 2 * 1024 * 1024;

/** Two ends of a connection within the process. */
function pair(): [Duplex, Duplex] {
  const [a, b] = [new PassThrough(), new PassThrough()];
  return [Duplex.from({ readable: a, writable: b }), Duplex.from({ readable: b, writable: a })];
}

interface Ends {
  readonly client: ChannelMux;
  readonly server: ChannelMux;
  readonly broken: string[];
  readonly over: Promise<unknown>;
}

const events = (opened: (channel: Channel) => void, broken: string[]): MuxEvents => ({
  opening: (opening) => opened(opening.accept(QUIET)),
  globalRequest: (_name, _details, answer) => answer(false),
  broken: (why) => broken.push(why),
});
const QUIET: ChannelEvents = {
  data: () => undefined,
  eof: () => undefined,
  request: () => undefined,
  closed: () => undefined,
};

/** Both sides of our own connection protocol, encrypted in between. */
async function ends(opened: (channel: Channel) => void, ofServer: object = {}): Promise<Ends> {
  await Transport.ready;
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const [a, b] = pair();
  const broken: string[] = [];
  const ready = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const over = Promise.withResolvers<unknown>();
  const transport = (stream: Duplex, index: number, more: object): ChannelMux => {
    const one: ChannelMux = new ChannelMux(
      new Transport({
        stream,
        clock: systemClock,
        onReady: () => ready[index]?.resolve(),
        onService: () => undefined,
        onMessage: (payload) => one.receive(payload),
        onRoom: () => one.flush(),
        onEnd: (error) => over.resolve(error),
        ...more,
      }),
      events(opened, broken),
    );
    return one;
  };
  const server = transport(a, 0, { hostKeys: { 'ssh-ed25519': hostKeyFrom(pem) }, ...ofServer });
  const client = transport(b, 1, { hostKeyAlgorithms: ['ssh-ed25519'], verifyHost: () => true });
  await Promise.all(ready.map(({ promise }) => promise));
  return { client, server, broken, over: over.promise };
}

const open = (mux: ChannelMux): Promise<Channel> =>
  new Promise((resolve, reject) =>
    mux.open('session', Buffer.alloc(0), {
      opened: (channel) => {
        resolve(channel);
        return QUIET;
      },
      refused: (_, text) => reject(new Error(text)),
    }),
  );

test('what does not fit the window waits, and leaves when the owner has dealt with the rest', async () => {
  let received = 0;
  let other: Channel | undefined;
  const { client } = await ends((channel) => {
    other = channel;
    channel.events = { ...QUIET, data: (bytes) => (received += bytes.length) };
  });
  const channel = await open(client);
  channel.write(Buffer.alloc(3 * WINDOW, 'x'));
  await expect.poll(() => received).toBe(WINDOW);
  expect(channel.waiting).toBe(2 * WINDOW);
  other?.consumed(WINDOW);
  await expect.poll(() => received).toBe(2 * WINDOW);
});

test('data beyond the window ends the connection', async () => {
  const { client, broken, over } = await ends(() => undefined);
  await open(client);
  const chunk = Buffer.alloc(32 * 1024);
  for (let sent = 0; sent <= WINDOW; sent += chunk.length) client.transport.data(1, chunk, 0);
  await over;
  expect(broken).toEqual(['data beyond the window of its channel']);
});

test('a window beyond what RFC 4254 has room for ends the connection', async () => {
  const { client, broken, over } = await ends(() => undefined);
  await open(client);
  client.transport.send(93, 1, 2 ** 32 - 1);
  await over;
  expect(broken).toEqual(['a channel window beyond 2^32 - 1']);
});

test('no more channels than there may be, and no number twice', async () => {
  const { client } = await ends(() => undefined);
  const all = await Promise.allSettled(Array.from({ length: 101 }, () => open(client)));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
});

test('a channel keeps working while keys are exchanged', async () => {
  let received = 0;
  const { client } = await ends((channel) => {
    channel.events = {
      ...QUIET,
      data: (bytes) => {
        received += bytes.length;
        channel.consumed(bytes.length);
      },
    };
  });
  const channel = await open(client);
  for (let i = 0; i < 5; i++) {
    channel.write(Buffer.alloc(100_000));
    rekey(client);
    channel.write(Buffer.alloc(100_000));
    await expect.poll(() => received).toBe((i + 1) * 200_000);
  }
});

test('a client that has not logged in gets no second keys', async () => {
  const { client, over } = await ends(() => undefined, { mayRekey: () => false, turn: () => Promise.resolve() });
  rekey(client);
  expect(String(await over)).toContain('new keys were asked for before a login');
});

/** ssh2's client against ssh2's server, with a session open. */
function ofSsh2(): Promise<{ client: ssh2.ClientChannel; server: ssh2.ServerChannel; failed: Promise<Error> }> {
  const { private: key } = utils.generateKeyPairSync('ed25519');
  const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<typeof ofSsh2>>>();
  const failed = Promise.withResolvers<Error>();
  const opened = Promise.withResolvers<ssh2.ClientChannel>();
  const server = new Server({ hostKeys: [key] }, (peer) => {
    peer.on('error', (error: Error) => failed.resolve(error));
    peer.on('authentication', (context) => context.accept());
    peer.on('session', (accept) =>
      accept().on('exec', (take) => {
        const channel = take();
        void opened.promise.then((own) => resolve({ client: own, server: channel, failed: failed.promise }));
      }),
    );
  });
  const client = new Client();
  client.on('error', (error) => failed.resolve(error));
  client.on('ready', () => client.exec('x', (_, channel) => opened.resolve(channel)));
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    client.connect({ host: '127.0.0.1', port, username: 'x', authHandler: ['none'] });
    client.once('close', () => server.close());
  });
  return promise;
}

test.each(['client', 'server'] as const)("ssh2's own %s ends a connection whose window is overrun", async (side) => {
  const { client, server, failed } = await ofSsh2();
  // The sender believes in more room than it was granted, and nobody reads.
  const sender = side === 'client' ? server : client;
  (sender as unknown as { outgoing: { window: number } }).outgoing.window = 2 ** 31;
  sender.write(Buffer.alloc(4 * WINDOW));
  expect((await failed).message).toContain('Data beyond the channel window');
});

/** As the transport does by itself after so many bytes. */
const rekey = ({ transport }: ChannelMux): void => (transport as Transport).rekey();
