/** A forwarded connection, byte for byte. Owns: its record. Does not: ask whether it may (forwarding.ts). */
import type { AnswerMeter, Deny, Gate } from '@sluice/contract';
import type { Channel, ChannelEvents } from './channel.js';
import type { Clock } from './clock.js';
import { WindowRelay } from './window-relay.js';
import { ByteCount } from './byte-count.js';

/** A forwarded connection: two channels, byte for byte. `id` is the command that it was allowed as. */
export class Pipe {
  readonly #gate: Gate;
  readonly #id: number;
  readonly #counts: readonly [ByteCount, ByteCount] = [new ByteCount(true), new ByteCount(true)];
  readonly #meter: AnswerMeter | undefined;
  readonly #windows: (WindowRelay | undefined)[] = [undefined, undefined];
  readonly #ends: Channel[] = [];
  readonly #stopTimer: (() => void) | undefined;
  #left = 2;

  constructor(gate: Gate, id: number, meter: AnswerMeter | undefined, clock: Clock) {
    this.#gate = gate;
    this.#id = id;
    this.#meter = meter;
    if (meter?.timeoutMs !== undefined) this.#stopTimer = clock.after(meter.timeoutMs, () => this.#cut(meter.expire()));
  }

  /** Events of `from`, whose bytes go to `to`. `side` 0: from the client. */
  events(from: Channel, to: Channel, side: 0 | 1): ChannelEvents {
    const window = new WindowRelay(from, () => to.waiting);
    this.#windows[side] = window;
    this.#ends.push(from);
    return {
      data: (bytes, type) => {
        if (side === 1 && this.#meter?.take(0, bytes.length) === false) return this.#cut(this.#meter.ended);
        this.#counts[side].add(bytes);
        to.write(bytes, type);
        window.came(bytes.length);
      },
      eof: () => to.eof(),
      request: (_, wantReply) => {
        if (wantReply) from.reply(false);
      },
      sent: () => this.#windows[1 - side]?.returnWindow(),
      closed: () => {
        to.close();
        if (this.#left > 0 && --this.#left === 0) this.#end('ok');
      },
    };
  }

  /** The client may have no more of it, and can be told nothing but that it is over. */
  #cut(why: Deny | undefined): void {
    for (const one of this.#ends) one.close(true);
    if (this.#left > 0) this.#end('error', why?.message);
    this.#left = 0;
  }

  #end(outcome: 'ok' | 'error', why?: string): void {
    this.#stopTimer?.();
    const [sent, received] = this.#counts;
    const { bytes } = received;
    const counted = `sent ${sent.end()}, received ${received.end()}`;
    const summary = why === undefined ? counted : `${why} ${counted}`;
    this.#gate.record({ type: 'end', command: this.#id, outcome, summary, rows: 0, bytes, data: [] });
  }
}
