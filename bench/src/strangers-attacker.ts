/** One attacker: `kind port from rate seconds`. Makes so many attempts a second, each on a connection of its own, and says how many. */
import { type Socket, connect } from 'node:net';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import ssh2 from 'ssh2';

// What is measured is the victim, not who gets the processor.
setPriority(15);

const [kind = '', port = '', from = '', rate = '', seconds = ''] = process.argv.slice(2);

/** An attempt that has no answer by then is given up, in milliseconds. */
const GIVE_UP = 15_000;
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

const dial = (): Socket =>
  connect({ port: Number(port), host: '127.0.0.1', localAddress: from }).setTimeout(GIVE_UP, function (this: Socket) {
    this.destroy();
  });

/** A start-up packet with a name of its own each time, and a password in the clear. */
function login(name: string): Buffer {
  const body = Buffer.from(`user\0${name}\0database\0bench\0options\0-c sluice.login=password\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length);
  head.writeInt32BE(3 << 16, 4);
  return Buffer.concat([head, body, Buffer.from('p\0\0\0\x0awrong\0', 'latin1')]);
}

let serial = 0;
const attempts: Readonly<Record<string, () => void>> = {
  /** Names of 8,500 control characters: what filled disks. */
  names: () => {
    const socket = dial()
      .on('error', () => undefined)
      .resume();
    socket.write(login(`${from} ${++serial} `.padEnd(8_500, '\u0001')));
  },
  /** A TLS handshake, then a wrong password. */
  tls: () => {
    const socket = dial().on('error', () => undefined);
    socket.write(SSL_REQUEST);
    socket.once('data', () => {
      const secured = connectTls(
        { socket, rejectUnauthorized: false },
        () => void secured.write(login(`${from} ${++serial}`)),
      );
      secured.on('error', () => undefined).resume();
    });
  },
  /** An SSH key exchange, then a wrong password. */
  ssh: () => {
    const client = new ssh2.Client();
    client.on('error', () => client.destroy());
    client.connect({ sock: dial(), username: `vm${++serial}`, password: 'wrong', readyTimeout: GIVE_UP });
  },
  /** Sockets that are left open and say nothing. */
  silent: () =>
    void dial()
      .on('error', () => undefined)
      .resume(),
};

const attempt = attempts[kind];
if (!attempt) throw new Error(`no such attack: ${kind}`);
const until = performance.now() + Number(seconds) * 1_000;
let made = 0;
for (const started = performance.now(); performance.now() < until; ) {
  const due = Math.floor(((performance.now() - started) / 1_000) * Number(rate));
  for (; made < due; made++) attempt();
  await sleep(5);
}
process.stdout.write(`${made}\n`);
process.exit(0);
