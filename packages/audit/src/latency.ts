/** How long something took, counted by bounds. Owns: the numbers. Does not: their format (packages/control). */

/** Upper bounds in seconds, as Prometheus counts them: each count holds those of the smaller bounds as well. */
const BOUNDS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Counts durations. Written for something that happens with each command: it makes no object and looks up no name. */
export class Latency {
  /** By bound, without those of smaller bounds; the last has what is above all of them. */
  readonly #counts = new Float64Array(BOUNDS_SECONDS.length + 1);
  /** Of all that was observed, in seconds. */
  sum = 0;

  observe(seconds: number): void {
    let at = 0;
    while (at < BOUNDS_SECONDS.length && seconds > (BOUNDS_SECONDS[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.sum += seconds;
  }

  /** How many took no longer than each bound (seconds), the last bound being infinite. */
  upTo(): (readonly [bound: number, count: number])[] {
    let count = 0;
    return Array.from(this.#counts, (more, at) => [BOUNDS_SECONDS[at] ?? Infinity, (count += more)] as const);
  }
}
