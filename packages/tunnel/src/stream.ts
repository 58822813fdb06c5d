/** One stream of a tunnel, as a Node stream. Owns: what it holds in each direction. Does not: frame (frame.ts). */
import { Duplex } from 'node:stream';
import type { TunnelError } from './errors.js';
import { MAX_PAYLOAD_BYTES } from './frame.js';

/** What a stream asks of its tunnel. */
export interface StreamPort {
  /** It has something to send, and the credit for it. */
  ready(stream: TunnelStream): void;
  /** Its reader took `bytes`. Returns by how much more the window may grow at this moment. */
  consumed(stream: TunnelStream, bytes: number): void;
  /** It is over at this end; `error` is why, if it did not end well. */
  released(stream: TunnelStream, error: Error | null): void;
}

/** One thing to send after what was written before it. */
type QueuedPortion = Buffer | Exclude<Portion, { readonly type: 'data' }>;

/** What a stream sends at its turn. */
export type Portion =
  | { readonly type: 'data'; readonly parts: readonly Buffer[]; readonly bytes: number }
  | { readonly type: 'control'; readonly payload: Buffer }
  | { readonly type: 'fin' };

/** Chunks that wait for their reader; more are joined, so that many small ones do not cost more than their bytes. */
const MAX_WAITING_CHUNKS = 256;

/**
 * One stream of a tunnel, as a Node stream. Writing waits for the peer's credit, so a peer that does not read stops this
 * writer and nobody else. `end()` is a half-close, as on TCP; `destroy(error)` resets the stream and tells the peer why.
 */
export class TunnelStream extends Duplex {
  readonly id: number;
  /** Bytes that the peer may still send, and that we may still send. */
  window: number;
  credit: number;
  /** Bytes that came, read or not. */
  bytesReceived = 0;
  /** In the tunnel's round of streams that have something to send. */
  queued = false;
  finSent = false;
  finReceived = false;
  /** Set when the tunnel or the peer ended it: then there is nobody to tell. */
  abandoned = false;
  /** Called with what the peer says beside the data, in order with it. */
  onControl: ((payload: Buffer) => void) | undefined;

  readonly #port: StreamPort;
  #outgoing: QueuedPortion[] = [];
  #written: ((error?: Error | null) => void) | undefined;
  #incoming: Buffer[] = [];
  #wanted = false;

  constructor(id: number, port: StreamPort, window: number, credit: number) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: MAX_PAYLOAD_BYTES,
      writableHighWaterMark: 4 * MAX_PAYLOAD_BYTES,
    });
    this.id = id;
    this.#port = port;
    this.window = window;
    this.credit = credit;
  }

  /** Sends a message beside the data. It keeps its place after what has been written and taken so far. */
  sendControl(payload: Buffer): void {
    if (payload.length > MAX_PAYLOAD_BYTES) throw new RangeError('a control message is longer than a frame');
    this.#send({ type: 'control', payload });
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#written = callback;
    this.#send(chunk);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#written = callback;
    for (const { chunk } of chunks) this.#outgoing.push(chunk);
    this.#offer();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#written = callback;
    this.#send({ type: 'fin' });
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#outgoing = [];
    this.#incoming = [];
    this.#written = undefined;
    this.#port.released(this, error);
    callback(error);
  }

  /** Bytes from the peer, which the tunnel has held against the window. Keeps `bytes`, which may be a view. */
  receive(bytes: Buffer): void {
    this.bytesReceived += bytes.length;
    if (this.destroyed) return;
    this.#incoming.push(bytes);
    if (this.#incoming.length >= MAX_WAITING_CHUNKS) this.#incoming = [Buffer.concat(this.#incoming)];
    this.#deliver();
  }

  receiveEnd(): void {
    this.finReceived = true;
    this.#deliver();
  }

  /** The peer, or the link, ended it. */
  abandon(error: TunnelError): void {
    this.abandoned = true;
    this.destroy(error);
  }

  addCredit(bytes: number): void {
    this.credit += bytes;
    this.#offer();
  }

  /** Whether its turn would send anything. */
  get sendable(): boolean {
    const [first] = this.#outgoing;
    return first !== undefined && ('type' in first || this.credit > 0);
  }

  /** What to send now, at most one frame of it. */
  portion(): Portion | undefined {
    const [first] = this.#outgoing;
    if (first === undefined) return undefined;
    if ('type' in first) {
      this.#outgoing.shift();
      if (first.type === 'fin') this.finSent = true;
      this.#creditWhatWasRead();
      return first;
    }
    let room = Math.min(this.credit, MAX_PAYLOAD_BYTES);
    if (room === 0) return undefined;
    const parts: Buffer[] = [];
    let bytes = 0;
    for (let item = this.#outgoing[0]; item && !('type' in item) && room > 0; item = this.#outgoing[0]) {
      const part = item.length <= room ? item : item.subarray(0, room);
      if (part.length === item.length) this.#outgoing.shift();
      else this.#outgoing[0] = item.subarray(room);
      if (part.length > 0) parts.push(part);
      bytes += part.length;
      room -= part.length;
    }
    this.credit -= bytes;
    this.#creditWhatWasRead();
    return bytes > 0 ? { type: 'data', parts, bytes } : undefined;
  }

  #send(item: QueuedPortion): void {
    this.#outgoing.push(item);
    this.#offer();
  }

  #offer(): void {
    if (!this.queued && this.sendable) this.#port.ready(this);
  }

  /** The writer may go on once everything it wrote is with the transport. */
  #creditWhatWasRead(): void {
    if (this.#outgoing.length > 0 || !this.#written) return;
    const written = this.#written;
    this.#written = undefined;
    written();
  }

  #deliver(): void {
    while (this.#wanted) {
      const piece = this.#incoming.shift();
      if (!piece) break;
      this.#wanted = this.push(piece);
      this.#port.consumed(this, piece.length);
    }
    if (this.finReceived && this.#incoming.length === 0 && this.#wanted && !this.readableEnded) {
      this.#wanted = false;
      this.push(null);
    }
  }
}
