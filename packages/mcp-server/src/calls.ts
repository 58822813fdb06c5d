/** Calls that are at work. Owns: how many one caller may have, and which of them a cancellation means. */

/** Calls of one caller that are at work at once. */
export const MAX_CALLS_OF_ONE = 16;

export class Calls {
  /** By caller, session of MCP, and id. */
  readonly #running = new Map<string, AbortController>();
  readonly #counts = new Map<string, number>();

  /**
   * Runs it, unless too many of this caller are at work, or one with the same name is.
   *
   * @param name of the call, as a cancellation would name it; undefined: nobody can cancel it but by hanging up
   */
  async run<Value>(
    owner: string,
    name: string | undefined,
    gone: AbortSignal,
    act: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value | 'full' | 'taken'> {
    const count = this.#counts.get(owner) ?? 0;
    if (count >= MAX_CALLS_OF_ONE) return 'full';
    if (name !== undefined && this.#running.has(name)) return 'taken';
    const cancel = new AbortController();
    if (name !== undefined) this.#running.set(name, cancel);
    this.#counts.set(owner, count + 1);
    try {
      return await act(AbortSignal.any([cancel.signal, gone]));
    } finally {
      if (name !== undefined) this.#running.delete(name);
      const left = (this.#counts.get(owner) ?? 1) - 1;
      if (left > 0) this.#counts.set(owner, left);
      else this.#counts.delete(owner);
    }
  }

  cancel(name: string): void {
    this.#running.get(name)?.abort();
  }
}
