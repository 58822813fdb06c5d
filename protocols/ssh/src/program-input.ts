/** What a client sends to its program. Owns: what waits until the target can have it. Does not: count, judge or record. */
import { SendQueue } from './send-queue.js';
import type { Channel } from './channel.js';
import { WindowRelay } from './window-relay.js';
import type { Terminal } from './terminal.js';

/**
 * What a client sends to its program: kept until the target can have it, then passed on, through the terminal where there is one.
 * Does not: count, judge or record.
 */
export class ProgramInput {
  terminal: Terminal | undefined;
  readonly #early = new SendQueue();
  #ended = false;
  #target: Channel | undefined;
  readonly #window: WindowRelay;
  readonly #forward: (bytes: Buffer) => void;

  /** `forward` is given what the program may have. Called once `connect` was, and later where a terminal holds a line. */
  constructor(client: Channel, forward: (bytes: Buffer) => void) {
    this.#forward = forward;
    this.#window = new WindowRelay(
      client,
      () => this.#early.size + (this.#target?.waiting ?? 0) + (this.terminal?.waiting ?? 0),
    );
  }

  /** The client sends nothing more. */
  get ended(): boolean {
    return this.#ended;
  }

  data(bytes: Buffer): void {
    if (this.#target) this.#pass(bytes);
    else this.#early.add(bytes, 0);
    this.#window.came(bytes.length);
  }

  eof(): void {
    this.#ended = true;
    this.#target?.eof();
  }

  /** The target can have it from now on, and gets what has come before. */
  connect(target: Channel): void {
    this.#target = target;
    const early = this.#early.take();
    if (early.length > 0) this.#pass(early);
    if (this.#ended) target.eof();
    this.#window.returnWindow();
  }

  /** Some of it has left: the client may send as much again. */
  left(): void {
    this.#window.returnWindow();
  }

  #pass(bytes: Buffer): void {
    if (this.terminal) this.terminal.input(bytes);
    else this.#forward(bytes);
  }
}
