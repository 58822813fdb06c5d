/** How often each rule matched, and when last, since the start. Owns: the numbers. Does not: judge, or know which rules there are. */
import type { RuleMatch } from '@sluice/contract';

export interface RuleCount {
  /** Commands, answers and calls that it matched, whether it decided about them or not. */
  matched: number;
  /** Milliseconds since 1970. */
  last: number;
}

/** Counts by connection and rule. Written for something that happens with each command: two look-ups for each rule that matched. */
export class RuleMatches {
  /** Milliseconds since 1970. */
  readonly since = Date.now();
  readonly #connections = new Map<string, Map<string, RuleCount>>();

  add(connection: string, matched: readonly RuleMatch[], now: number): void {
    if (matched.length === 0) return;
    let rules = this.#connections.get(connection);
    if (!rules) this.#connections.set(connection, (rules = new Map<string, RuleCount>()));
    for (const { rule } of matched) {
      const count = rules.get(rule);
      if (!count) rules.set(rule, { matched: 1, last: now });
      else {
        count.matched++;
        count.last = now;
      }
    }
  }

  /** Undefined: it has not matched yet. */
  of(connection: string, rule: string): Readonly<RuleCount> | undefined {
    return this.#connections.get(connection)?.get(rule);
  }
}
