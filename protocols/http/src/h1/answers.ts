/**
 * Answers on their way to a client by HTTP/1.1, one after the other. Owns: how each is framed for the version of its request. Does
 * not: order them, or end the connection.
 */
import type { Duplex } from 'node:stream';
import type { Header } from '@sluice/contract';
import type { Outbox } from '../outbox.js';
import type { AnswerHead } from '../ports.js';
import { phraseOf } from '../status.js';
import { type Framing, chunkLine, lastChunk } from './body.js';
import { writeHead } from './head.js';

export class AnswerWriter {
  readonly #outbox: Outbox;
  #minor: 0 | 1 = 1;
  #framing: Framing | undefined;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** The head of the present one has been written. */
  get begun(): boolean {
    return this.#framing !== undefined;
  }

  /** The present one ends with the connection. */
  get untilClose(): boolean {
    return this.#framing?.type === 'close';
  }

  /** The next one is for a request of HTTP/1.`minor`. */
  next(minor: 0 | 1): void {
    this.#minor = minor;
    this.#framing = undefined;
  }

  informational(status: number, headers: readonly Header[]): void {
    if (!this.begun) this.#outbox.push(writeHead(`HTTP/1.1 ${status} ${phraseOf(status)}`, headers));
  }

  /** `ends`: the connection does, behind this answer. */
  head({ status, reason, headers, framing }: AnswerHead, ends: boolean): void {
    const written = [...headers];
    if (status === 101) written.push(['Connection', 'Upgrade'], ['Upgrade', 'websocket']);
    else if (ends) written.push(['Connection', 'close']);
    else if (this.#minor === 0) written.push(['Connection', 'keep-alive']);
    this.#framing = this.#framingFor(framing);
    if (this.#framing.type === 'chunked') written.push(['Transfer-Encoding', 'chunked']);
    this.#outbox.push(writeHead(`HTTP/1.1 ${status} ${reason}`, written));
  }

  /** @returns whether there is room for more */
  data(bytes: Buffer): boolean {
    if (this.#framing?.type !== 'chunked') return this.#outbox.push(bytes);
    this.#outbox.push(Buffer.from(chunkLine(bytes.length), 'latin1'));
    this.#outbox.push(bytes);
    return this.#outbox.push(CRLF);
  }

  end(trailers: readonly Header[]): void {
    if (this.#framing?.type === 'chunked') this.#outbox.push(Buffer.from(lastChunk(trailers), 'latin1'));
  }

  /** Ends the connection so that the client sees that the present one is not whole. */
  breakOff(stream: Duplex & { resetAndDestroy?: () => void }): void {
    // One that ends with its connection would be whole if that ended in peace.
    try {
      if (this.untilClose) stream.resetAndDestroy?.();
    } catch {
      // TLS says by itself that it was cut off: there is no alert that closes it.
    }
    stream.destroy();
  }

  /** HTTP/1.0 knows no chunks. */
  #framingFor(framing: Framing): Framing {
    if (framing.type !== 'chunked' && framing.type !== 'close') return framing;
    return { type: this.#minor === 1 ? 'chunked' : 'close' };
  }
}

const CRLF = Buffer.from('\r\n');
