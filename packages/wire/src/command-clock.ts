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

export class CommandClock {
  #command: TimedCommand | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Call when the target may work on something else than before. */
  look<Command extends TimedCommand>(conversation: TimedConversation<Command>): void {
    const command = conversation.timed;
    if (command === this.#command || (command === undefined && this.#timer === undefined)) return;
    this.stop();
    this.#command = command;
    const timeoutMs = command?.meter?.timeoutMs;
    if (!command || timeoutMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      conversation.expire(command);
      setTimeout(() => conversation.abandon(command), STOPPING_MS).unref();
    }, timeoutMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#command = undefined;
  }
}
