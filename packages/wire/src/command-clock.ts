/**
 * The time that a target may work on one command. Owns: the timer of the command at the head of a conversation. Does not: cancel it, which the
 * conversation does.
 */

/** How long a target may take to stop what it was asked to cancel, in milliseconds. */
const STOPPING_MS = 10_000;

/** A command with a time of its own. */
export interface TimedCommand {
  readonly meter: { readonly timeoutMs: number | undefined } | undefined;
}

/** A conversation that has such commands. */
export interface TimedConversation<Command extends TimedCommand> {
  /** What the target works on, if there is a time for that which is not over. */
  readonly timed: Command | undefined;
  /** Its time is over. Says nothing where the target works on another one by now. */
  expire(command: Command): void;
  /** It was to stop a while ago. */
  abandon(command: Command): void;
}

/** Most commands are over long before their time: so the timer stays as it is, and whoever it wakes looks whose time that was. */
export class CommandClock {
  #command: TimedCommand | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer wakes, and when the time of the command is over: milliseconds of `performance.now()`. */
  #wakes = 0;
  #ends = 0;

  /** Call when the target may work on something else than before. */
  look<Command extends TimedCommand>(conversation: TimedConversation<Command>): void {
    const command = conversation.timed;
    if (command === this.#command) return;
    this.#command = command;
    const timeoutMs = command?.meter?.timeoutMs;
    if (timeoutMs === undefined) return;
    this.#ends = performance.now() + timeoutMs;
    if (this.#timer === undefined || this.#wakes > this.#ends) this.#arm(conversation, timeoutMs);
  }

  #arm<Command extends TimedCommand>(conversation: TimedConversation<Command>, timeMs: number): void {
    clearTimeout(this.#timer);
    this.#wakes = performance.now() + timeMs;
    this.#timer = setTimeout(() => this.#woken(conversation), timeMs).unref();
  }

  #woken<Command extends TimedCommand>(conversation: TimedConversation<Command>): void {
    this.#timer = undefined;
    const command = conversation.timed;
    if (command === undefined || command !== this.#command) return;
    const left = this.#ends - performance.now();
    if (left > 0) return this.#arm(conversation, left);
    conversation.expire(command);
    setTimeout(() => conversation.abandon(command), STOPPING_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#command = undefined;
  }
}
