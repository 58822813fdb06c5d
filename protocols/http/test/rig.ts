/**
 * The protocol between real sockets: a listener whose gate and entrance are made here, and targets that are servers of Node or
 * written byte by byte. Owns: opening and ending them. Does not: rules, which are functions of the tests.
 */
import { type Socket, type AddressInfo, connect as dial, createServer } from 'node:net';
import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket, connect as dialTls, createSecureContext } from 'node:tls';
import {
  type Admission,
  type Allow,
  type Answer,
  type Command,
  type Ending,
  type Entrance,
  type Gate,
  type HttpCommand,
  type HttpHead,
  type HttpProof,
  type HttpTarget,
  NEUTRAL_WORDS,
  type OwnAnswer,
  type OwnRequest,
  type Waiter,
  type Refusal,
  type ResponseEvent,
  type Route,
  type Visit,
} from '@sluice/contract';
import type { TestCertificates } from '@sluice/testkit';
import { http } from '../src/index.js';

export const ALLOW: Allow = { type: 'allow', facts: { actions: [], confidence: 'parsed', statements: [] } };
/** Of alice; that of bob ends in B. */
export const TOKEN = 'token-A';
export const OTHER_TOKEN = 'token-B';
const PRINCIPALS: Readonly<Record<string, string>> = { [TOKEN]: 'alice', [OTHER_TOKEN]: 'bob' };

export interface RigOptions {
  readonly target?: Partial<HttpTarget>;
  readonly certificates?: TestCertificates;
  readonly requireTls?: boolean;
  readonly message?: number;
  readonly recorded?: number;
}

/** What one principal was heard to ask, and what it got. */
export class Stay {
  readonly commands: HttpCommand[] = [];
  readonly events: ResponseEvent[] = [];
  readonly end = new AbortController();
  readonly drain = new AbortController();
  dials = 0;
  visit: Visit | undefined;

  /** What is on record of one stream of one command. */
  recorded(stream: string, command = 1): string {
    return this.events
      .flatMap((event): readonly Uint8Array[] => {
        if (event.command !== command) return [];
        if (event.type === 'part') return event.stream === stream ? event.data : [];
        return (event.parts ?? []).flatMap((part) => (part.stream === stream ? [part.data] : []));
      })
      .map((data) => Buffer.from(data).toString('latin1'))
      .join('');
  }

  ended(command = 1): ResponseEvent | undefined {
    return this.events.find((event) => event.type === 'end' && event.command === command);
  }
}

export class Rig {
  readonly port: number;
  readonly stays = new Map<string, Stay>();
  readonly broke: string[] = [];
  readonly draining = new AbortController();
  readonly killing = new AbortController();
  judge: (command: HttpCommand, waiter: Waiter | undefined) => Answer | Promise<Answer> = () => ALLOW;
  needsBody: (head: HttpHead) => boolean = () => false;
  /** False: what is given to the gate for the record is lost. */
  isRecording = true;
  own: (request: OwnRequest) => Promise<OwnAnswer> = () => Promise.resolve({ status: 404, headers: [], body: 'none' });
  /** Where the next visit's connections to the target go. */
  dial: () => Promise<Duplex>;
  readonly target: HttpTarget;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #options: RigOptions;
  failed: unknown;

  get #route(): Route {
    return { connection: 'svc', api: 'rest', prefix: '/svc', origins: this.target.origins };
  }

  private constructor(server: Server, target: { host: string; port: number }, options: RigOptions) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.#options = options;
    this.dial = () => connected(target.port, target.host);
    this.target = {
      api: 'rest',
      scheme: 'http',
      authority: `${target.host}:${target.port}`,
      base: '',
      http2: false,
      paths: 'strict',
      holdWait: 45_000,
      origins: [],
      authorise: (request) => request,
      ...options.target,
    };
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      http.serve(socket, this.#gate()).catch((error: unknown) => {
        this.failed = error;
      });
    });
  }

  static async open(port: number, options: RigOptions = {}): Promise<Rig> {
    const server = createServer({ noDelay: true });
    await listening(server);
    return new Rig(server, { host: '127.0.0.1', port }, options);
  }

  get url(): string {
    return `${this.#options.certificates ? 'https' : 'http'}://127.0.0.1:${this.port}/svc`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** What a principal did, who may not have come yet. */
  stay(name = 'alice'): Stay {
    const known = this.stays.get(name) ?? new Stay();
    this.stays.set(name, known);
    return known;
  }

  async close(): Promise<void> {
    for (const { end } of this.stays.values()) end.abort({ code: 'shutdown' } satisfies Ending);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    if (this.failed) throw this.failed;
  }

  #gate(): Gate {
    const entrance: Entrance = {
      route: (_host, path) => (path === '/svc' || path.startsWith('/svc/') ? this.#route : undefined),
      enter: (route, proofs) => this.#enter(route, proofs),
      own: (request) => this.own(request),
    };
    return this.#base({ entrance, signal: this.killing.signal, draining: this.draining.signal });
  }

  #enter(route: unknown, proofs: readonly HttpProof[]): Visit | Refusal {
    const shown = new Set(proofs.map((proof) => (proof.type === 'token' ? proof.secret : proof.der)));
    if (shown.size > 1) return { type: 'refusal', reason: { code: 'proofs-differ' } };
    const [first] = proofs;
    const name = first?.type === 'certificate' ? 'alice' : (PRINCIPALS[first?.secret ?? ''] ?? '');
    if (name === '') return { type: 'refusal', reason: { code: 'wrong-proof', user: '', tokens: 0 } };
    if (route === undefined)
      return {
        type: 'refusal',
        reason: { code: 'unknown-connection', connection: '' },
        menu: { connections: ['svc'], choose: () => Promise.reject(new Error('not here')) },
      };
    return this.#visit(name);
  }

  #visit(name: string): Visit {
    const stay = this.stay(name);
    if (stay.visit) return stay.visit;
    let id = 0;
    const gate = this.#base({
      signal: stay.end.signal,
      draining: stay.drain.signal,
      dial: async () => {
        stay.dials++;
        return this.dial();
      },
      ask: (command: Command, waiter) => {
        stay.commands.push(command as HttpCommand);
        return this.judge(command as HttpCommand, waiter);
      },
      record: (event) => {
        // As a session does.
        if (!this.isRecording) return stay.end.abort({ code: 'record-unwritable' });
        stay.events.push(copied(event));
      },
    });
    Object.defineProperty(gate, 'isRecording', { get: () => this.isRecording });
    const { target } = this;
    const admission: Admission & { target: { http: HttpTarget } } = {
      type: 'admission',
      principal: name,
      connection: 'svc',
      target: { host: '127.0.0.1', user: '', tls: 'disable', http: target },
    };
    stay.visit = { admission, gate, nextId: () => ++id, needsBody: (head) => this.needsBody(head) };
    return stay.visit;
  }

  #base(with_: Partial<Gate>): Gate {
    const {
      certificates,
      message = 64 * 1024,
      recorded: recordedAnswer = 64 * 1024,
      requireTls = false,
    } = this.#options;
    const none = (): never => {
      throw new Error('not here');
    };
    return {
      signal: new AbortController().signal,
      draining: new AbortController().signal,
      limits: { message, recordedAnswer, terminal: 1, upstreamLogin: 5_000 },
      words: NEUTRAL_WORDS,
      tls: certificates !== undefined,
      requireTls,
      loopback: true,
      login: none,
      turn: () => Promise.resolve(),
      opened: () => undefined,
      broke: (reason) => void this.broke.push(reason),
      targetFailed: () => undefined,
      dial: none,
      ask: none,
      record: none,
      onCancel: none,
      cancel: none,
      secure: (stream, side, alpn = []) =>
        side === 'client' ? this.#tls(stream, alpn) : this.#upstreamTls(stream, alpn),
      ...with_,
    };
  }

  async #tls(stream: Duplex, alpn: readonly string[]): ReturnType<Gate['secure']> {
    const { ca, certificate: cert, key } = this.#options.certificates as TestCertificates;
    const secured = new TLSSocket(stream as Socket, {
      isServer: true,
      secureContext: createSecureContext({ cert, key, ca }),
      ALPNProtocols: [...alpn],
      requestCert: true,
      rejectUnauthorized: false,
    });
    await new Promise<void>((resolve, reject) => {
      secured.once('secure', resolve);
      secured.once('error', reject);
    });
    // As tls.Server does, which node:http2 waits for.
    (secured as unknown as { secureConnecting: boolean }).secureConnecting = false;
    const servername = (secured as unknown as { servername?: string | false }).servername;
    const { _handle: handle } = secured as unknown as { _handle: { verifyError(): Error | null } };
    const peer = handle.verifyError() === null ? secured.getPeerX509Certificate() : undefined;
    return {
      stream: secured,
      ...(typeof secured.alpnProtocol === 'string' && { alpn: secured.alpnProtocol }),
      ...(typeof servername === 'string' && { servername: servername.toLowerCase() }),
      ...(peer && { certificate: peer.raw }),
    };
  }

  async #upstreamTls(stream: Duplex, alpn: readonly string[]): ReturnType<Gate['secure']> {
    const { ca } = this.#options.certificates as TestCertificates;
    const secured = dialTls({ socket: stream, ca, servername: 'localhost', ALPNProtocols: [...alpn] });
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve);
      secured.once('error', reject);
    });
    return { stream: secured, ...(typeof secured.alpnProtocol === 'string' && { alpn: secured.alpnProtocol }) };
  }
}

/** What an event holds is valid during the call only. */
function copied(event: ResponseEvent): ResponseEvent {
  if (event.type === 'part') return { ...event, data: event.data.map((one) => Buffer.from(one)) };
  if (!event.parts) return event;
  return { ...event, parts: event.parts.map(({ stream, data }) => ({ stream, data: Buffer.from(data) })) };
}

export async function listening(server: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
}): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export async function connected(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = dial({ port, host, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return socket;
}

/** A client that writes bytes and collects what comes. */
export class RawClient {
  text = '';
  ended = false;
  closed = false;
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => (this.text += bytes.toString('latin1')));
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.closed = true));
  }

  static async to(port: number): Promise<RawClient> {
    return new RawClient(await connected(port));
  }

  write(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  async until(found: RegExp | (() => boolean), within = 20_000): Promise<string> {
    const there = found instanceof RegExp ? (): boolean => found.test(this.text) : found;
    await until(there, within, () => `got ${JSON.stringify(this.text.slice(0, 2000))}`);
    return this.text;
  }
}

export async function until(there: () => boolean, within = 20_000, what: () => string = () => ''): Promise<void> {
  const deadline = Date.now() + within;
  while (!there()) {
    if (Date.now() > deadline) throw new Error(`it did not come: ${what()}`);
    await sleep(5);
  }
}

/** A target written byte by byte: `serve` is given each connection and the bytes of each chunk. */
export async function rawTarget(
  serve: (socket: Socket, text: string) => void,
): Promise<{ port: number; seen: () => string; sockets: Set<Socket>; close: () => Promise<void> }> {
  let seen = '';
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1');
      text += bytes.toString('latin1');
      serve(socket, text);
      if (/\r\n\r\n/.test(text)) text = '';
    });
  });
  const port = await listening(server);
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, seen: () => seen, sockets, close };
}

export const AUTH = `Authorization: Bearer ${TOKEN}`;
