import type { Gate } from '@sluice/contract';
import type { Channel, ChannelEvents } from './channel.js';
import { Flow } from './flow.js';
import { Tally } from './tally.js';

/** A forwarded connection: two channels, byte for byte. `id` is the command that it was allowed as. */
export class Pipe {
  readonly #gate: Gate;
  readonly #id: number;
  readonly #tallies: readonly [Tally, Tally] = [new Tally(true), new Tally(true)];
  #left = 2;

  constructor(gate: Gate, id: number) {
    this.#gate = gate;
    this.#id = id;
  }

  /** Events of `from`, whose bytes go to `to`. `side` 0: from the client. */
  events(from: Channel, to: Channel, side: 0 | 1): ChannelEvents {
    const flow = new Flow(from, () => to.waiting);
    this.#flows[side] = flow;
    return {
      data: (bytes, type) => {
        this.#tallies[side].add(bytes);
        to.write(bytes, type);
        flow.came(bytes.length);
      },
      eof: () => to.eof(),
      request: (_, wantReply) => {
        if (wantReply) from.reply(false);
      },
      sent: () => this.#flows[1 - side]?.settle(),
      closed: () => {
        to.close();
        if (--this.#left === 0) this.#end();
      },
    };
  }

  readonly #flows: (Flow | undefined)[] = [undefined, undefined];

  #end(): void {
    const [sent, received] = this.#tallies;
    const { bytes } = received;
    const summary = `sent ${sent.end()}, received ${received.end()}`;
    this.#gate.record({ type: 'end', command: this.#id, outcome: 'ok', summary, rows: 0, bytes, data: [] });
  }
}
