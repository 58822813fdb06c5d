/**
 * Many streams over one transport. Owns: which stream is in which state, and what a peer may cost. Does not: the WebSocket
 * (websocket.ts).
 */
import type { StreamEntry, StreamOpening } from './entry.js';
import { TunnelError, type TunnelErrorCode } from './errors.js';
import { FrameDecoder, type FrameName, frame } from './frame.js';
import { Keepalive, TICK_MS } from './keepalive.js';
import { type Goaway, type Reason, VERSIONS, json, readGoaway, readHello, readReason, words } from './messages.js';
import { Outbox } from './outbox.js';
import { type StreamPort, TunnelStream } from './stream.js';
import type { Transport } from './transport.js';
import { Windows } from './windows.js';

export interface TunnelOptions {
  readonly transport: Transport;
  /** What the other end is called in errors, such as `agent "dc1"`. */
  readonly peer: string;
  /** Answers streams that the peer asks for. Without it the peer may not ask. */
  readonly onOpen?: (opening: StreamOpening) => void;
  readonly onGoaway?: (goaway: Goaway) => void;
  /** Called once when the tunnel is gone; the error says why, and whether it was we who cut it. */
  readonly onClose?: (error: TunnelError) => void;
  /** Most streams at a time that the peer may open, default 4096. */
  readonly streams?: number;
  /** Credit that a stream starts with in bytes, default 256 KiB. */
  readonly window?: number;
}

const MAX_STREAMS = 4096;
const FIRST_WINDOW_BYTES = 256 * 1024;
/** Urgent frames that may wait for a peer that asks and does not read. Bytes. */
const MAX_URGENT_BYTES = 1024 * 1024;
/** Requests that a peer may take back, unanswered, between two ticks. */
const MAX_TAKEN_BACK = 2000;
const LAST_ID = 2 ** 32 - 1;

/** Many streams over one transport. One end asks for streams, the other answers; docs/tunnel.md has the rules. */
export class Tunnel {
  readonly peer: string;
  readonly ready: Promise<void>;
  opened = 0;
  refused = 0;
  bytesReceived = 0;
  /** Said by the peer: no new streams. */
  goaway: Goaway | undefined;

  readonly #options: TunnelOptions;
  readonly #transport: Transport;
  readonly #outbox: Outbox;
  readonly #keepalive = new Keepalive();
  readonly #windows: Windows;
  readonly #entries = new Map<number, StreamEntry>();
  readonly #timer: NodeJS.Timeout;
  readonly #ready = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #limit: number;
  #hello: { window: number; streams: number } | undefined;
  #lastId = 0;
  #takenBack = 0;
  #draining = false;
  #deadline: NodeJS.Timeout | undefined;
  #error: TunnelError | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.#transport = options.transport;
    this.#limit = options.streams ?? MAX_STREAMS;
    this.ready = this.#ready.promise;
    // Whoever does not wait for it hears of the end by onClose.
    this.ready.catch(() => undefined);
    this.#outbox = new Outbox(this.#transport);
    this.#windows = new Windows(options.window ?? FIRST_WINDOW_BYTES, () => this.roundTrip);
    const decoder = new FrameDecoder({
      data: (id, bytes) => this.#data(id, bytes),
      frame: (name, id, payload) => this.#frame(name, id, payload),
    });
    this.#transport.attach({
      receive: (bytes) => {
        this.#keepalive.heard();
        this.bytesReceived += bytes.length;
        this.#guarded(() => decoder.push(bytes));
      },
      drained: this.#outbox.flush,
      closed: (reason) => this.#end(new TunnelError('closed', `the tunnel to ${this.peer} was lost: ${reason}`)),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    const hello = { versions: [VERSIONS.from, VERSIONS.to], window: this.#windows.initial, streams: this.#limit };
    this.#outbox.urgent(frame('hello', 0, json(hello)));
  }

  /** Milliseconds; undefined until it was measured. */
  get roundTrip(): number | undefined {
    return this.#keepalive.roundTrip;
  }

  get bytesSent(): number {
    return this.#outbox.bytes;
  }

  /** Streams that are open or being opened. */
  get streams(): number {
    let count = 0;
    for (const { state } of this.#entries.values()) if (state !== 'reset') count++;
    return count;
  }

  get draining(): boolean {
    return this.#draining || this.goaway !== undefined;
  }

  get closed(): TunnelError | undefined {
    return this.#error;
  }

  /**
   * Asks the peer for a stream. Aborting takes the request back.
   *
   * @throws TunnelError `refused`, `draining`, `limit`, `cancelled`, or why the tunnel is gone
   */
  async open(payload: Buffer, signal?: AbortSignal): Promise<{ stream: TunnelStream; answer: Buffer }> {
    await this.ready;
    if (this.#error) throw this.#error;
    if (this.draining) throw new TunnelError('draining', `${this.peer} takes no new streams: it is shutting down`);
    const most = this.#hello?.streams ?? 0;
    if (this.#entries.size >= most || this.#lastId === LAST_ID)
      throw new TunnelError('limit', `${this.peer} has ${most} streams open, which is the most there may be`);
    if (signal?.aborted) throw new TunnelError('cancelled', 'the request was taken back');
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<{ stream: TunnelStream; answer: Buffer }>();
    this.#entries.set(id, { state: 'opening', resolve, reject });
    this.#outbox.urgent(frame('open', id, payload));
    const takeBack = (): void => {
      if (this.#entries.get(id)?.state !== 'opening') return;
      this.#reset(id, this.#windows.initial, false, { code: 'cancelled', message: 'the request was taken back' });
      reject(new TunnelError('cancelled', 'the request was taken back'));
    };
    signal?.addEventListener('abort', takeBack, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', takeBack));
  }

  /** No new streams; running ones may go on until the deadline. Resolves when the tunnel is closed. */
  drain(goaway: Goaway): Promise<void> {
    if (this.#error || this.#draining) return this.#gone.promise;
    this.#draining = true;
    this.#outbox.urgent(frame('goaway', 0, json({ ...goaway, reason: words(goaway.reason) })));
    this.#deadline = setTimeout(() => this.close(goaway.reason), goaway.deadline);
    this.#closeIfDrained();
    return this.#gone.promise;
  }

  /** Ends all streams and the link. The peer is told the reason. */
  close(reason: string, code: TunnelErrorCode = 'closed'): void {
    if (this.#error) return;
    this.#outbox.flush();
    this.#transport.close(reason);
    this.#end(new TunnelError(code, `the tunnel to ${this.peer} was closed: ${reason}`));
  }

  #guarded(step: () => void): void {
    if (this.#error) return;
    try {
      step();
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      this.close(error.message, error.code);
    }
  }

  #end(error: TunnelError): void {
    if (this.#error) return;
    this.#error = error;
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
    this.#outbox.close();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const entry of entries) {
      if (entry.state === 'live') entry.stream.abandon(error);
      else if (entry.state === 'opening') entry.reject(error);
      else if (entry.state === 'asked') entry.abandoned.abort(error);
    }
    this.#ready.reject(error);
    this.#gone.resolve();
    this.#options.onClose?.(error);
  }

  #tick(): void {
    this.#takenBack = 0;
    if (this.#keepalive.dead(this.#hello !== undefined)) return this.close('nothing came for too long', 'silent');
    this.#ping();
  }

  #ping(): void {
    const payload = this.#keepalive.ping();
    if (payload) this.#outbox.urgent(frame('ping', 0, payload));
  }

  #data(id: number, bytes: Buffer): void {
    if (!this.#hello) throw new TunnelError('protocol', 'a frame before the hello');
    const entry = this.#known(id, 'data');
    if (entry?.state === 'live') {
      const { stream } = entry;
      if (stream.finReceived) throw new TunnelError('protocol', 'data after the end of a stream');
      stream.window -= bytes.length;
      if (stream.window < 0) throw new TunnelError('overrun', `more data than stream ${id} has credit for`);
      // A small view would keep all that came with it in memory for as long as nobody reads it.
      stream.receive(bytes.length * 4 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes);
    } else if (entry?.state === 'reset') {
      entry.window -= bytes.length;
      if (entry.window < 0) throw new TunnelError('overrun', `more data than stream ${id} has credit for`);
    } else {
      throw new TunnelError('protocol', 'data for a stream that is not open');
    }
  }

  #frame(name: Exclude<FrameName, 'data'>, id: number, payload: Buffer): void {
    if ((name === 'hello') === (this.#hello !== undefined))
      throw new TunnelError('protocol', this.#hello ? 'a second hello' : 'a frame before the hello');
    switch (name) {
      case 'hello':
        return this.#greet(payload);
      case 'ping':
        return this.#answer(frame('pong', 0, payload));
      case 'pong':
        if (!this.#keepalive.pong(payload)) throw new TunnelError('protocol', 'a pong without a ping');
        return;
      case 'goaway':
        this.goaway = readGoaway(payload);
        this.#options.onGoaway?.(this.goaway);
        return;
      case 'open':
        return this.#asked(id, payload);
      default:
        return this.#streamFrame(name, id, payload);
    }
  }

  #streamFrame(name: 'accept' | 'refuse' | 'credit' | 'fin' | 'reset' | 'control', id: number, payload: Buffer): void {
    const entry = this.#known(id, name);
    // What a finished stream still has on its way: the credit for what was read last, a reset by who did not read it all.
    if (!entry && (name === 'credit' || name === 'reset')) return;
    if (entry?.state === 'reset') return this.#afterReset(name, id, entry, payload);
    if (name === 'reset' && entry) return this.#wasReset(id, entry, readReason(payload));
    if (entry?.state === 'opening' && name === 'accept') {
      const stream = this.#live(id);
      this.opened++;
      return entry.resolve({ stream, answer: Buffer.from(payload) });
    }
    if (entry?.state === 'opening' && name === 'refuse') {
      const { code, message } = readReason(payload);
      this.refused++;
      this.#forget(id);
      return entry.reject(new TunnelError(code === 'draining' ? 'draining' : 'refused', words(message), code));
    }
    if (entry?.state !== 'live' || name === 'accept' || name === 'refuse')
      throw new TunnelError('protocol', `${name} for a stream that is not waiting for it`);
    const { stream } = entry;
    if (name === 'credit') {
      const credit = payload.readUInt32BE();
      if (stream.credit + credit > LAST_ID) throw new TunnelError('overrun', 'more credit than a window may have');
      return stream.addCredit(credit);
    }
    if (stream.finReceived) throw new TunnelError('protocol', `${name} after the end of a stream`);
    if (name === 'fin') return stream.receiveEnd();
    if (!stream.onControl) throw new TunnelError('protocol', 'a control message that nobody waits for');
    stream.onControl(Buffer.from(payload));
  }

  #greet(payload: Buffer): void {
    const { versions, window, streams } = readHello(payload);
    const version = Math.min(versions[1], VERSIONS.to);
    if (version < Math.max(versions[0], VERSIONS.from)) {
      const [theirs, ours] = [`${versions[0]} to ${versions[1]}`, `${VERSIONS.from} to ${VERSIONS.to}`];
      throw new TunnelError('version', `${this.peer} speaks tunnel versions ${theirs}, this end ${ours}`);
    }
    this.#hello = { window, streams };
    this.#ready.resolve();
    this.#ping();
  }

  #asked(id: number, payload: Buffer): void {
    const { onOpen } = this.#options;
    if (!onOpen) throw new TunnelError('protocol', 'this end does not open streams for its peer');
    if (id !== this.#lastId + 1) throw new TunnelError('protocol', 'an open out of order');
    if (this.#entries.size >= this.#limit) throw new TunnelError('flood', `more than ${this.#limit} streams`);
    this.#lastId = id;
    const refuse = ({ code, message }: Reason): void => {
      if (this.#entries.get(id)?.state !== 'asked') return;
      this.refused++;
      this.#answer(frame('refuse', id, json({ code, message: words(message) })));
      this.#forget(id);
    };
    const abandoned = new AbortController();
    this.#entries.set(id, { state: 'asked', abandoned });
    if (this.#draining) return refuse({ code: 'draining', message: 'it is shutting down' });
    onOpen({
      payload: Buffer.from(payload),
      abandoned: abandoned.signal,
      refuse,
      accept: (answer) => {
        if (this.#entries.get(id)?.state !== 'asked') return undefined;
        this.opened++;
        this.#outbox.urgent(frame('accept', id, answer));
        return this.#live(id);
      },
    });
  }

  #live(id: number): TunnelStream {
    const stream = new TunnelStream(id, this.#port, this.#windows.initial, this.#hello?.window ?? 0);
    // An error nobody listens for ends the process; whoever has the stream hears of it by its close.
    stream.on('error', () => undefined);
    this.#entries.set(id, { state: 'live', stream });
    return stream;
  }

  readonly #port: StreamPort = {
    ready: (stream) => this.#outbox.add(stream),
    consumed: (stream, bytes) => {
      if (stream.finReceived || stream.destroyed) return;
      const credit = this.#windows.consumed(stream, bytes);
      if (credit === 0) return;
      stream.window += credit;
      const payload = Buffer.allocUnsafe(4);
      payload.writeUInt32BE(credit);
      this.#outbox.urgent(frame('credit', stream.id, payload));
    },
    released: (stream, error) => {
      this.#windows.released(stream);
      if (this.#error || stream.abandoned) return;
      const { id, window, finSent, finReceived } = stream;
      if (finSent && finReceived) return this.#forget(id);
      this.#reset(id, window, finSent, {
        code: error ? 'failed' : 'cancelled',
        message: error ? error.message : 'the other end is gone',
      });
    },
  };

  #reset(id: number, window: number, finSent: boolean, { code, message }: Reason): void {
    this.#entries.set(id, { state: 'reset', window, finSent });
    this.#outbox.urgent(frame('reset', id, json({ code, message: words(message) })));
    this.#closeIfDrained();
  }

  #wasReset(id: number, entry: Exclude<StreamEntry, { state: 'reset' }>, { message }: Reason): void {
    // Thrown while the request is still known: the end of the tunnel is what rejects it.
    if (entry.state === 'opening') throw new TunnelError('protocol', 'a reset in place of an answer');
    this.#forget(id);
    this.#answer(frame('reset', id, json({ code: 'reset', message: '' })));
    if (entry.state === 'live') entry.stream.abandon(new TunnelError('reset', `${this.peer}: ${words(message)}`));
    else {
      entry.abandoned.abort(new TunnelError('cancelled', 'the request was taken back'));
      if (++this.#takenBack > MAX_TAKEN_BACK) throw new TunnelError('flood', 'too many requests that were taken back');
    }
  }

  /** Until the peer has heard of our reset it goes on; its own reset, a refusal or both ends close the matter. */
  #afterReset(name: string, id: number, entry: Extract<StreamEntry, { state: 'reset' }>, payload: Buffer): void {
    if (name === 'reset') readReason(payload);
    if (name === 'reset' || name === 'refuse' || (name === 'fin' && entry.finSent)) this.#forget(id);
  }

  #known(id: number, name: string): StreamEntry | undefined {
    if (id > this.#lastId) throw new TunnelError('protocol', `${name} for the unknown stream ${id}`);
    return this.#entries.get(id);
  }

  #forget(id: number): void {
    this.#entries.delete(id);
    this.#closeIfDrained();
  }

  #closeIfDrained(): void {
    if (this.#draining && this.streams === 0) setImmediate(() => this.close('drained'));
  }

  /** Frames that the peer makes us send. */
  #answer(bytes: Buffer): void {
    this.#outbox.urgent(bytes);
    if (this.#outbox.urgentBytes > MAX_URGENT_BYTES)
      throw new TunnelError('flood', 'many questions, and no answer is read');
  }
}
