/** A forwarded connection, byte for byte. Owns: its record. Does not: ask whether it may (forwarding.ts). */
import type { AnswerMeter, Gate } from '@sluice/contract';
import type { Channel, ChannelEvents } from './channel.js';
import { WindowRelay } from './window-relay.js';
import { ByteCount } from './byte-count.js';

/** A forwarded connection: two channels, byte for byte. `id` is the command that it was allowed as. */
export class Pipe {
  readonly #gate: Gate;
  readonly #id: number;
  readonly #counts: readonly [ByteCount, ByteCount] = [new ByteCount(true), new ByteCount(true)];
  readonly #meter: AnswerMeter | undefined;
  #left = 2;

  constructor(gate: Gate, id: number, meter?: AnswerMeter) {
    this.#gate = gate;
    this.#id = id;
    this.#meter = meter;
  }

  /** Events of `from`, whose bytes go to `to`. `side` 0: from the client. */
  events(from: Channel, to: Channel, side: 0 | 1): ChannelEvents {
    const window = new WindowRelay(from, () => to.waiting);
    this.#windows[side] = window;
    return {
      data: (bytes, type) => {
        if (side === 1 && this.#meter?.take(0, bytes.length) === false) return this.#cut(from, to);
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
        if (this.#left > 0 && --this.#left === 0) this.#end();
      },
    };
  }

  /** The client may have no more of it, and can be told nothing but that it is over. */
  #cut(from: Channel, to: Channel): void {
    from.close(true);
    to.close(true);
    if (this.#left > 0) this.#end();
    this.#left = 0;
  }

  readonly #windows: (WindowRelay | undefined)[] = [undefined, undefined];

  #end(): void {
    const [sent, received] = this.#counts;
    const { bytes } = received;
    const summary = `sent ${sent.end()}, received ${received.end()}`;
    this.#gate.record({ type: 'end', command: this.#id, outcome: 'ok', summary, rows: 0, bytes, data: [] });
  }
}
