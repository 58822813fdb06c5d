/**
 * The client's stream before the conversation: greeting, TLS, login, and a last word whatever goes wrong. Owns: these packets in
 * order. Does not: decide who is let in (`login.ts`), or dial.
 */
import type { Duplex } from 'node:stream';
import type { Ending, Gate } from '@sluice/contract';
import { Inbox, WireError } from '@sluice/wire';
import { CAPABILITY, offered } from './capabilities.js';
import { type HandshakeResponse, greeting, isTlsRequest, readResponse } from './handshake.js';
import { MAX_LOGIN_BYTES } from './login.js';
import { framed, readPacket } from './packets.js';
import { ending, failure, malformedPacket } from './refusal.js';
import { STATUS, error as errorPacket } from './replies.js';
import { newNonce } from './scramble.js';
import { UpstreamError } from './upstream.js';

/** How the gateway shows itself. */
export interface Face {
  readonly version: string;
  readonly thread: number;
  /** The way to log in that the greeting names. */
  readonly plugin: string;
}

const isMariadb = (version: string): boolean => /mariadb/i.test(version);

/** utf8mb4_general_ci, by its number. */
const UTF8MB4 = 45;

export class ClientStartup {
  #stream: Duplex;
  #inbox: Inbox;
  #secured = false;
  #sequence = 0;
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

  /** The client speaks TLS. */
  get secured(): boolean {
    return this.#secured;
  }

  /** Greets, and reads how the client introduces itself. */
  async start({
    version,
    thread,
    plugin,
  }: Face): Promise<{ readonly response: HandshakeResponse; readonly nonce: Buffer }> {
    const nonce = newNonce();
    const offer = offered(this.#gate.tls, isMariadb(version));
    this.send(greeting({ version, thread, nonce, ...offer, plugin, charset: UTF8MB4, status: STATUS.autocommit }));
    let payload = await this.receive();
    if (this.#gate.tls && isTlsRequest(payload)) {
      await this.#secure();
      payload = await this.receive();
    }
    const response = readResponse(payload);
    // What the client has and the gateway did not offer is not in force.
    const capabilities = response.capabilities & (offer.capabilities | CAPABILITY.longPassword);
    return { response: { ...response, capabilities, extended: response.extended & offer.extended }, nonce };
  }

  send(payload: Buffer): void {
    this.#stream.write(framed(payload, this.#sequence));
    this.#sequence = (this.#sequence + 1) & 0xff;
  }

  async receive(): Promise<Buffer> {
    const { sequence, payload } = await readPacket(this.#inbox, MAX_LOGIN_BYTES);
    this.#sequence = (sequence + 1) & 0xff;
    return payload;
  }

  /** Hands the stream over, with what it has already received. */
  release(): void {
    this.#inbox.release();
    this.#gate.signal.removeEventListener('abort', this.#onAbort);
  }

  close(lastWords?: Buffer): void {
    if (this.#stream.destroyed) return;
    this.release();
    if (lastWords) this.#stream.end(framed(lastWords, this.#sequence));
    else this.#stream.end();
    // What still arrives is read and dropped, so that the peer's own end is noticed. Not at once: a stream that has just
    // lost its last reader settles first.
    setImmediate(() => this.#stream.resume());
  }

  /** Turns an error of the login into words. What is neither one of ours nor the client's is a defect, and goes up. */
  fail(error: unknown): void {
    if (error instanceof UpstreamError) {
      this.#gate.broke(`the target: ${error.message}`);
      return this.close(errorPacket(error.number, error.sqlstate, error.message));
    }
    if (error instanceof WireError) {
      if (error.code === 'WIRE_ENDED') return this.close();
      return this.close(malformedPacket(error.message));
    }
    // The client's own stream broke, which is no defect of ours.
    if (error instanceof Error && error === this.#stream.errored) {
      this.#gate.broke(error.message);
      return this.close();
    }
    this.close(failure());
    throw error;
  }

  /** Clients send the start of TLS right behind their request: what the stream holds already is TLS. */
  async #secure(): Promise<void> {
    this.#inbox.release();
    const { stream } = await this.#gate.secure(this.#stream, 'client');
    this.#secured = true;
    this.#stream = stream;
    this.#inbox = new Inbox(stream);
  }
}
