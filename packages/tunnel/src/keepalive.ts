/** Whether a link is alive. Owns: pings, their times, and the round trip. Does not: close it (tunnel.ts). */

/** Milliseconds. A link on which nothing has come for SILENCE is dead: it is found at the latest SILENCE + TICK after. */
export const TICK_MS = 4_000;
export const MAX_SILENCE_MS = 10_000;

/** Pings, what they say about the round trip, and when a link counts as dead. */
export class Keepalive {
  /** Milliseconds, smoothed as TCP does (RFC 6298 section 2.3); undefined until the first answer. */
  roundTrip: number | undefined;
  readonly #started = performance.now();
  #heard = performance.now();
  #serial = 0n;
  #sent: number | undefined;

  heard(): void {
    this.#heard = performance.now();
  }

  /** The silence is too long, or the hello has not come in that time. */
  dead(ready: boolean): boolean {
    return performance.now() - (ready ? this.#heard : this.#started) > MAX_SILENCE_MS;
  }

  /** The next ping's payload; undefined while one is on its way. */
  ping(): Buffer | undefined {
    if (this.#sent !== undefined) return undefined;
    this.#sent = performance.now();
    const payload = Buffer.allocUnsafe(8);
    payload.writeBigUInt64BE(++this.#serial);
    return payload;
  }

  /** False: an answer to nothing that was asked. */
  pong(payload: Buffer): boolean {
    if (this.#sent === undefined || payload.readBigUInt64BE() !== this.#serial) return false;
    const sample = performance.now() - this.#sent;
    this.#sent = undefined;
    this.roundTrip = this.roundTrip === undefined ? sample : this.roundTrip * 0.875 + sample * 0.125;
    return true;
  }
}
