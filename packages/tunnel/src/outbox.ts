/** What leaves a tunnel, stream by stream in turn. Owns: how much may wait. Does not: credit (windows.ts). */
import { HEADER_BYTES, MAX_PAYLOAD_BYTES, frame, header } from './frame.js';
import type { TunnelStream } from './stream.js';
import type { Transport } from './transport.js';

/** Bytes that may wait in the transport. More would be a queue that every stream stands in behind the busiest one. */
const MAX_IN_FLIGHT_BYTES = 512 * 1024;

/**
 * What leaves: frames about the tunnel first, then one frame of each stream that has something to send, in turn. A stream
 * without credit is not in the round, so it costs the others nothing.
 */
export class Outbox {
  bytes = 0;
  readonly #transport: Transport;
  #urgent: Buffer[] = [];
  #urgentBytes = 0;
  #round: TunnelStream[] = [];
  #scheduled: NodeJS.Immediate | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Bytes of urgent frames that the transport does not take. Grows only when the peer asks and does not read. */
  get urgentBytes(): number {
    return this.#urgentBytes;
  }

  urgent(bytes: Buffer): void {
    this.#urgent.push(bytes);
    this.#urgentBytes += bytes.length;
    this.#schedule();
  }

  add(stream: TunnelStream): void {
    stream.queued = true;
    this.#round.push(stream);
    this.#schedule();
  }

  /** Sends while the transport takes it. All that was queued in one turn of the event loop leaves in as few writes as can be. */
  readonly flush = (): void => {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    while (this.#transport.pending < MAX_IN_FLIGHT_BYTES && (this.#urgentBytes > 0 || this.#round.length > 0)) {
      const parts = this.#urgent;
      let size = this.#urgentBytes;
      this.#urgent = [];
      this.#urgentBytes = 0;
      while (size < MAX_PAYLOAD_BYTES && this.#round.length > 0) size += this.#turn(parts);
      if (parts.length === 0) return;
      this.bytes += size;
      this.#transport.send(parts);
    }
  };

  close(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    this.#urgent = [];
    this.#urgentBytes = 0;
    this.#round = [];
  }

  /** One frame of the next stream. Returns its bytes. */
  #turn(parts: Buffer[]): number {
    const stream = this.#round.shift() as TunnelStream;
    stream.queued = false;
    if (stream.destroyed) return 0;
    // Taking may make the writer write, and the stream join the round by itself.
    const portion = stream.portion();
    if (!stream.queued && stream.sendable) {
      stream.queued = true;
      this.#round.push(stream);
    }
    if (!portion) return 0;
    if (portion.type === 'data') {
      parts.push(header('data', stream.id, portion.bytes), ...portion.parts);
      return HEADER_BYTES + portion.bytes;
    }
    const whole = portion.type === 'fin' ? frame('fin', stream.id) : frame('control', stream.id, portion.payload);
    parts.push(whole);
    return whole.length;
  }

  #schedule(): void {
    if (this.#scheduled || this.#transport.pending >= MAX_IN_FLIGHT_BYTES) return;
    this.#scheduled = setImmediate(this.flush);
  }
}
