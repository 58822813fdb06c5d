/** How long a peer may take. Owns: one moment at a time, looked at now and then, which costs less than a timer for each. */

export class Deadline {
  readonly #timer: NodeJS.Timeout;
  /** In milliseconds of `performance.now`; 0: it is not the peer's turn. */
  #at = 0;

  /** `over`: called once the time is over, up to `every` milliseconds late. */
  constructor(every: number, over: () => void) {
    this.#timer = setInterval(() => {
      if (this.#at === 0 || performance.now() < this.#at) return;
      this.#at = 0;
      over();
    }, every).unref();
  }

  /** So much time from now on, in milliseconds. */
  allow(time: number): void {
    this.#at = performance.now() + time;
  }

  /** It is not the peer's turn. */
  none(): void {
    this.#at = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
