/**
 * A client before its session: TLS, cancel requests, the first packet. Owns its stream until then. Does not own its proof
 * (`login.ts`).
 */
import type { Duplex } from 'node:stream';
import type { Ending, Gate } from '@sluice/contract';
import { Inbox, WireError, unexpected } from '@sluice/wire';
import type { ClientSide } from './login.js';
import { ending, fatal } from './refusal.js';
import { StartupRefusal } from './settings.js';
import { type Startup, readFirstPacket } from './startup.js';
import { UpstreamError } from './upstream.js';

/** The ALPN name that direct TLS has to settle on (PostgreSQL 17), so that no other protocol's bytes can end up here. */
const ALPN = 'postgresql';
const YES = Buffer.from('S');
const NO = Buffer.from('N');

/** The client's stream before the conversation starts: TLS, cancel requests, and a last word whatever goes wrong. */
export class ClientStartup implements ClientSide {
  #stream: Duplex;
  #inbox: Inbox;
  #secured = false;
  #endpoint: Uint8Array | undefined;
  readonly #gate: Gate;
  readonly #onAbort = (): void => this.close(ending(this.#gate.signal.reason as Ending));

  constructor(stream: Duplex, gate: Gate) {
    this.#gate = gate;
    this.#stream = stream;
    this.#inbox = new Inbox(stream);
    gate.signal.addEventListener('abort', this.#onAbort);
  }

  get stream(): Duplex {
    return this.#stream;
  }

  get inbox(): Inbox {
    return this.#inbox;
  }

  /** The client speaks TLS. */
  get secured(): boolean {
    return this.#secured;
  }

  get endpoint(): Uint8Array | undefined {
    return this.#endpoint;
  }

  write(bytes: Uint8Array): void {
    this.#stream.write(bytes);
  }

  /** Reads up to the start-up packet. Undefined: it was a cancel request, which has been carried out. */
  async start(): Promise<Startup | undefined> {
    for (;;) {
      const packet = await readFirstPacket(this.#inbox);
      switch (packet.type) {
        case 'gss':
          this.write(NO);
          break;
        case 'ssl':
          await this.#answerSsl();
          break;
        case 'tls':
          await this.#directTls();
          break;
        case 'cancel':
          // Accepted without TLS too: that is how psql and libpq send it. The key is the proof.
          await this.#gate.cancel(packet.key);
          this.close();
          return undefined;
        case 'startup':
          if (packet.negotiate) this.write(packet.negotiate);
          return packet;
      }
    }
  }

  /**
   * Aborted when the client hangs up while nothing is read from it. What it has sent meanwhile stays; whoever sends before it is
   * asked to is not noticed to be gone until that is read.
   */
  watch(): { readonly gone: AbortSignal; stop(): void } {
    const stream = this.#stream;
    const controller = new AbortController();
    const gone = (): void => controller.abort();
    // Only a read of a stream that has ended lets it say so.
    const look = (): void => void (stream.readableLength === 0 && stream.read(0));
    stream.on('readable', look).on('end', gone).on('close', gone);
    look();
    return {
      gone: controller.signal,
      stop: () => void stream.off('readable', look).off('end', gone).off('close', gone),
    };
  }

  /** Hands the stream over, with what it has already received. */
  release(): void {
    this.#inbox.release();
    this.#gate.signal.removeEventListener('abort', this.#onAbort);
  }

  close(lastWords?: Uint8Array): void {
    if (this.#stream.destroyed) return;
    this.release();
    if (lastWords) this.#stream.end(lastWords);
    else this.#stream.end();
    // What still arrives is read and dropped, so that the peer's own end is noticed. Not at once: a stream that has just
    // lost its last reader settles first.
    setImmediate(() => this.#stream.resume());
  }

  /** Turns an error of the login into words. What is neither one of ours nor the client's is a defect, and goes up. */
  fail(error: unknown): void {
    if (error instanceof UpstreamError) this.#gate.broke(`the target: ${error.message}`);
    if (error instanceof StartupRefusal || error instanceof UpstreamError)
      return this.close(fatal(error.sqlstate, error.message));
    if (error instanceof WireError) {
      if (error.code === 'WIRE_ENDED') return this.close();
      return this.close(fatal('08P01', error.message));
    }
    // The client's own stream broke, which is no defect of ours.
    if (error instanceof Error && error === this.#stream.errored) {
      this.#gate.broke(error.message);
      return this.close();
    }
    this.close(fatal('58000', 'the gateway failed to open this session; its log says why'));
    throw error;
  }

  async #answerSsl(): Promise<void> {
    if (this.#secured) throw unexpected('TLS was asked for twice');
    // Plaintext behind the request would be taken for encrypted afterwards (CVE-2021-23214).
    if (this.#inbox.buffered > 0) throw unexpected('received unencrypted data after SSL request');
    if (!this.#gate.tls) return this.write(NO);
    this.write(YES);
    await this.#secure();
  }

  async #directTls(): Promise<void> {
    if (this.#secured || !this.#gate.tls) throw unexpected('this listener does not offer TLS');
    const alpn = await this.#secure();
    if (alpn !== ALPN) throw unexpected('direct TLS needs the application protocol "postgresql"');
  }

  async #secure(): Promise<string | undefined> {
    this.#inbox.release();
    const secured = await this.#gate.secure(this.#stream, 'client');
    this.#secured = true;
    this.#stream = secured.stream;
    this.#endpoint = secured.endpoint;
    this.#inbox = new Inbox(secured.stream);
    return secured.alpn;
  }
}
