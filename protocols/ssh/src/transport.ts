/**
 * One encrypted connection (RFC 4253), by ssh2's engine. Owns: key exchanges, bounds, and what waits in the stream. Does not:
 * logins and channels.
 */
import type { Duplex } from 'node:stream';
import { type SshField, KeyError, pack } from '@sluice/keys';
import { type Loan, isLender } from '@sluice/wire';
import Protocol from 'ssh2/lib/protocol/Protocol.js';
import crypto from 'ssh2/lib/protocol/crypto.js';
import kex from 'ssh2/lib/protocol/kex.js';
import utils from 'ssh2/lib/protocol/utils.js';
import { FirstExchange } from './first-exchange.js';
import type { Clock } from './clock.js';
import { Disconnect, M } from './messages.js';
import { packetMemory, packetSent } from './packets.js';
import type { HostKey } from './private-keys.js';

/** New keys after this many bytes in either direction (RFC 4253 section 9), or this many milliseconds. */
const REKEY_BYTES = 1024 ** 3;
const REKEY_AFTER_MS = 3_600_000;
/** An exchange that takes longer than this ends the connection, in milliseconds. */
const REKEY_DEADLINE_MS = 30_000;
/** How often it is looked whether either has passed, in milliseconds. */
const LOOK_EVERY_MS = 5_000;
/** Key exchanges that a peer may have in a minute: each costs more of us than of it. */
const MAX_REKEYS = 20;
/**
 * Bytes that wait in the stream. From the first on, whoever makes more is told; above the second, channels keep what they
 * have; above the third, reading stops: questions of a peer that does not take its answers would only make more of them.
 */
const BUSY_BYTES = 256 * 1024;
const FULL_BYTES = 1024 * 1024;
const CLOGGED_BYTES = 2 * 1024 * 1024;

export interface TransportOptions {
  readonly clock: Clock;
  readonly stream: Duplex;
  /** Present: the peer is a client, and these are the keys that the gateway proves itself with, by algorithm. */
  readonly hostKeys?: Record<string, HostKey>;
  /** The peer is a target: algorithms to ask for, and whether a host key is good. */
  readonly hostKeyAlgorithms?: readonly string[];
  verifyHost?(key: Buffer): boolean;
  /** Resolves when the gateway may compute the keys of this client. Absent: at once. */
  turn?(): Promise<void>;
  /** Whether the client may have new keys. Absent: it may. */
  mayRekey?(): boolean;
  /** The first key exchange is over: `sessionId` is known. */
  onReady(): void;
  /** A service was asked for (client) or granted (target). */
  onService(name: string): void;
  /** A message of user authentication or of the connection, whole: number 50 and up. Valid during the call only. */
  onMessage(payload: Buffer): void;
  /** There is so much to send that more had better not be made. */
  onBusy?(): void;
  /** There is room to send again. */
  onRoom(): void;
  /** Called once. Without an error the peer left in good order. */
  onEnd(error?: Error): void;
}

/**
 * One encrypted connection (RFC 4253), with ssh2 for the version exchange, the key exchange, ciphers and packet bounds
 * (35 000 bytes). What is inside, from user authentication on, is this package's own: ssh2's Client and Server would
 * drop what they have no event for, and their streams cost more than the numbers that a relay has to translate.
 */
export class Transport {
  readonly #options: TransportOptions;
  readonly #stream: Duplex;
  readonly #protocol: Protocol;
  readonly #clock: Clock;
  readonly #stopLooking: () => void;
  #ready = false;
  #over = false;
  /** Bytes written since the stream last had room. A stream that holds its writes does not count them itself. */
  #unsent = 0;
  #busy = false;
  #draining = false;
  /** Somebody else wants no more to be read for now. */
  #readingHeld = false;
  #paused = false;
  /** The key exchange waits for its turn. */
  #waiting = false;
  #corked = false;
  /** Since the last key exchange. */
  #bytes = 0;
  #since: number;
  #exchanges: number[] = [];
  /** When the exchange that is going on was asked for by us. */
  #exchanging: number | undefined;
  /** What the target said in its EXT_INFO (RFC 8308). */
  signatureAlgorithms: readonly string[] | undefined;

  /** Resolves when ssh2's ciphers can be used. */
  static readonly ready: Promise<void> = crypto.init;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#since = this.#clock.now();
    this.#stream = options.stream;
    const { hostKeys, verifyHost } = options;
    this.#protocol = new Protocol({
      ...(hostKeys && { server: true, hostKeys }),
      ident: 'Sluice',
      offer: new kex.KexInit(
        offer(hostKeys ? 'server' : 'client', hostKeys ? Object.keys(hostKeys) : options.hostKeyAlgorithms),
      ),
      onWrite: (bytes) => this.#write(bytes),
      // A stream to a target holds its writes, and cannot say of each when it has left.
      ...(hostKeys && { alloc: packetMemory }),
      onError: (error) => this.#end(error),
      onHandshakeComplete: () => this.#exchanged(),
      ...(verifyHost && { hostVerifier: (key: Buffer) => verifyHost(key) }),
      messageHandlers: {
        DISCONNECT: (_, reason, text) =>
          this.#end(reason === Disconnect.byApplication ? undefined : new Error(text || `disconnected (${reason})`)),
        SERVICE_REQUEST: (_, name) => options.onService(name),
        SERVICE_ACCEPT: (_, name) => options.onService(name),
        EXT_INFO: (_, extensions) => {
          this.signatureAlgorithms = extensions.find(({ name }) => name === 'server-sig-algs')?.algs;
        },
      },
    });
    this.#takePayloads();
    this.#stopLooking = this.#clock.every(LOOK_EVERY_MS, () => this.#look());
    this.#listen();
    this.#protocol.start();
  }

  /** What signatures of this connection's authentication are bound to (RFC 4252 section 7). */
  get sessionId(): Buffer {
    return this.#protocol._kex.sessionID;
  }

  /** What the peer says that it is (RFC 4253, section 4.2): at most 255 bytes, of whatever it likes. */
  get peer(): string {
    return this.#protocol._remoteIdentRaw?.toString('latin1') ?? '';
  }

  get over(): boolean {
    return this.#over;
  }

  /** What the peer sends is read at the moment. */
  get reading(): boolean {
    return !this.#paused;
  }

  /** Data had better wait: the stream has enough, or keys are being exchanged. */
  get full(): boolean {
    return this.#over || this.#draining || this.#protocol._kexinit !== undefined;
  }

  /** Sends one message. Fields as in `pack`. */
  send(type: number, ...fields: readonly SshField[]): void {
    this.#guard(() => {
      const body = pack(...fields);
      const { write } = this.#protocol._packetRW;
      const packet = write.alloc(1 + body.length);
      const start = write.allocStart;
      packet[start] = type;
      packet.set(body, start + 1);
      utils.sendPacket(this.#protocol, write.finalize(packet));
      this.#count(body.length);
    });
  }

  /** SSH_MSG_CHANNEL_DATA or, with a type code, SSH_MSG_CHANNEL_EXTENDED_DATA: the hot path. */
  data(channel: number, bytes: Buffer, type: number): void {
    this.#guard(() => {
      if (type === 0) this.#protocol.channelData(channel, bytes);
      else this.#protocol.channelExtData(channel, bytes, type);
      this.#count(bytes.length);
    });
  }

  requestService(name: string): void {
    this.#guard(() => this.#protocol.service(name));
  }

  acceptService(name: string): void {
    this.#guard(() => this.#protocol.serviceAccept(name));
  }

  /** Says why and closes. Clients show the text. */
  disconnect(reason: number, text: string): void {
    if (this.#over) return;
    if (this.#ready) this.send(M.disconnect, reason, text, '');
    this.#end();
  }

  #write(bytes: Uint8Array): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) return;
    if (!this.#corked) {
      this.#corked = true;
      stream.cork();
      process.nextTick(() => {
        this.#corked = false;
        stream.uncork();
        this.#updateReading();
      });
    }
    this.#unsent += bytes.length;
    if (stream.write(bytes, packetSent(bytes))) {
      this.#unsent = 0;
      return;
    }
    if (this.#unsent > BUSY_BYTES && !this.#busy) {
      this.#busy = true;
      this.#options.onBusy?.();
    }
    if (this.#unsent > FULL_BYTES) this.#draining = true;
  }

  /** Whether reading waits for whoever the bytes end up at. */
  hold(on: boolean): void {
    this.#readingHeld = on;
    this.#updateReading();
  }

  #updateReading(): void {
    const waits = this.#readingHeld || this.#waiting || this.#stream.writableLength > CLOGGED_BYTES;
    if (waits === this.#paused) return;
    this.#paused = waits;
    if (waits) this.#stream.pause();
    else this.#stream.resume();
  }

  #listen(): void {
    const stream = this.#stream;
    const parse = (bytes: Buffer): void => {
      if (this.#over) return;
      this.#guard(() => this.#protocol.parse(bytes, 0, bytes.length));
    };
    const { turn } = this.#options;
    let first =
      turn &&
      new FirstExchange(
        parse,
        () => this.#waited(turn()),
        (error) => this.#end(error),
      );
    const receive = (chunk: Buffer): Loan => {
      if (this.#over) return 'free';
      this.#count(chunk.length);
      if (first?.over) first = undefined;
      const exchange = first;
      if (exchange) this.#guard(() => exchange.receive(chunk));
      else parse(chunk);
      // A key exchange keeps views of what it has read until it is over; whatever else is kept has been copied.
      if (!this.#ready || this.#protocol._kexinit !== undefined) return 'kept';
      return 'free';
    };
    if (isLender(stream)) stream.lend(receive);
    else stream.on('data', receive);
    stream.on('drain', () => {
      this.#unsent = 0;
      this.#busy = false;
      this.#draining = false;
      this.#updateReading();
      if (!this.full) this.#options.onRoom();
    });
    stream.on('error', (error: Error) => this.#end(error));
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
    if (stream.destroyed) process.nextTick(() => this.#end());
  }

  /** Nothing is read before the turn has come. */
  async #waited(turn: Promise<void>): Promise<void> {
    this.#waiting = true;
    this.#updateReading();
    await turn;
    this.#waiting = false;
    // What was kept goes first.
    process.nextTick(() => this.#updateReading());
  }

  #takePayloads(): void {
    const own = this.#protocol._onPayload;
    this.#protocol._onPayload = (payload) => {
      if (payload[0] === M.kexInit && this.#ready && this.#options.mayRekey?.() === false)
        throw new Error('new keys were asked for before a login');
      if (payload.length === 0 || (payload[0] as number) < 50) return own(payload);
      this.#options.onMessage(payload);
      // An exception has ended it: what is left of the chunk is not looked at.
      return this.#over ? Number.POSITIVE_INFINITY : undefined;
    };
  }

  #exchanged(): void {
    this.#bytes = 0;
    this.#since = this.#clock.now();
    this.#exchanging = undefined;
    this.#exchanges = [...this.#exchanges.filter((at) => at > this.#since - 60_000), this.#since];
    if (this.#exchanges.length > MAX_REKEYS) return this.#end(new Error('too many key exchanges'));
    if (!this.#ready) {
      this.#ready = true;
      this.#options.onReady();
    } else if (!this.full) process.nextTick(() => this.#options.onRoom());
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= REKEY_BYTES) this.rekey();
  }

  #look(): void {
    const now = this.#clock.now();
    if (now - this.#since >= REKEY_AFTER_MS) this.rekey();
    // While we do not read from the peer, its key exchange cannot be late.
    if (this.#exchanging !== undefined && this.#paused) this.#exchanging = now;
    if (this.#exchanging !== undefined && now - this.#exchanging > REKEY_DEADLINE_MS) {
      this.#end(new Error('the peer does not finish the key exchange'));
    }
  }

  /** New keys. By itself after `REKEY_BYTES` and `REKEY_AFTER_MS`. */
  rekey(): void {
    if (!this.#ready || this.#over || this.#exchanging !== undefined) return;
    this.#exchanging = this.#clock.now();
    this.#bytes = 0;
    this.#guard(() => this.#protocol.rekey());
  }

  /** Whatever a peer does wrong ends its connection and nothing else. */
  #guard(act: () => void): void {
    if (this.#over) return;
    try {
      act();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (this.#ready && error instanceof KeyError)
        this.send(M.disconnect, Disconnect.protocolError, error.message, '');
      this.#end(error);
    }
  }

  #end(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopLooking();
    this.#options.onRoom();
    // After this turn: what was sent in it is on its way, and ssh2 may be in the middle of a chunk.
    process.nextTick(() => {
      this.#protocol.cleanup();
      this.#stream.resume();
      if (!this.#stream.writableEnded) this.#stream.end();
    });
    this.#options.onEnd(error);
  }
}

/**
 * Without group exchange, whose primes a peer chooses or makes us look for; without compression, which a few bytes can
 * blow up; without what RFC 9142 says not to use.
 */
function offer(role: 'client' | 'server', hostKeyAlgorithms: readonly string[] = []): object {
  const exchanges = [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group16-sha512',
  ];
  const both = { cipher: CIPHERS, mac: MACS, compress: ['none'], lang: [] };
  return {
    kex: [
      ...exchanges,
      ...(role === 'server' ? ['kex-strict-s-v00@openssh.com'] : ['ext-info-c', 'kex-strict-c-v00@openssh.com']),
    ],
    serverHostKey: hostKeyAlgorithms,
    cs: both,
    sc: both,
  };
}

const CIPHERS = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
];
const MACS = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'];
