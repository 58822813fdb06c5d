/** An answer by events (SSE). Owns: their framing, and a sign of life while nothing else comes. Does not: say what is in them. */

/** How often somebody who waits is told that the answer still comes, in milliseconds. */
const ALIVE_MS = 15_000;

/** What is told while somebody waits for a last message. */
export class EventStream implements AsyncIterable<string> {
  readonly #queue: string[] = [];
  #over = false;
  #wake: (() => void) | undefined;

  /** `text`: a message, as JSON on one line. */
  send(text: string): void {
    if (this.#over) return;
    this.#queue.push(`event: message\ndata: ${text}\n\n`);
    this.#wake?.();
  }

  end(): void {
    this.#over = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    // Tells the client that the answer has begun.
    yield ': waiting\n\n';
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#over) return;
      else if (!(await this.#more())) yield ': waiting\n\n';
    }
  }

  /** False: nothing has come for a while. */
  async #more(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#wake = () => resolve(true);
    const timer = setTimeout(() => resolve(false), ALIVE_MS);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#wake = undefined;
    }
  }
}
