/**
 * What a session has changed of itself at its target, as its commands tell. Owns: whether a look-up on another connection means the same,
 * and by what a session is unlike others. Does not: read commands.
 */
import { hash } from 'node:crypto';
import type { Command, SessionChange, SqlCommand } from '@sluice/contract';
import type { Judgement } from '@sluice/judging';

export class SessionChanges {
  /** What was set before the first command, and what has been changed since, as hashes. */
  #startup = '';
  #changed = '';
  #sameNames = true;
  #sameValues = true;
  #waits = true;
  /** Channels that it listens at, at the most. */
  #channels = 0;

  /** What names mean at the target is what they mean to a connection that has changed nothing. */
  get sameNames(): boolean {
    return this.#sameNames;
  }

  /** The same of what values are: by none of its settings does a condition find other rows. */
  get sameValues(): boolean {
    return this.#sameValues;
  }

  /** Whether the program behind it waits for people (`sluice.hold`). */
  get waits(): boolean {
    return this.#waits;
  }

  /** Whoever waits for notifications has nothing to send, and is not idle. */
  get listens(): boolean {
    return this.#channels > 0;
  }

  /** What it has changed, as one text: a session that has changed something is like no other one. */
  stateOf(session: string): string {
    return `${this.#startup} ${this.#changed === '' ? '' : `${session} ${this.#changed}`}`;
  }

  /** Its client begins anew. */
  reset(): void {
    this.#waits = true;
  }

  /** Of a protocol of somebody else: what that says has no other owner. */
  told({ text }: Extract<Command, { type: 'custom' }>): void {
    this.#changed = hash('sha256', `${this.#changed} ${text}`);
  }

  /** A statement has been let through to run. `isLogin`: its driver sends it as it logs in. */
  ran({ text }: SqlCommand, { answer, changes, transaction }: Judgement, isLogin: boolean): void {
    if (answer.type === 'allow') for (const { verb } of answer.facts.actions) this.#heard(verb);
    const { hold, names, values }: Partial<SessionChange> = (answer.type === 'allow' && answer.facts.session) || {};
    if (hold) this.#waits = hold === 'wait';
    // Drivers say their time zone as they log in.
    if (values === 'any' || (values && !isLogin)) this.#sameValues = false;
    // The setting alone gives no later command another meaning.
    if (hold && !names) return;
    if (!changes || (transaction && this.#changed === '')) return;
    if (names) this.#sameNames = false;
    if (isLogin) this.#startup = hash('sha256', `${this.#startup} ${text}`);
    else this.#changed = hash('sha256', `${this.#changed} ${text}`);
  }

  #heard(verb: string): void {
    if (verb === 'listen') this.#channels++;
    else if (verb === 'unlisten') this.#channels = Math.max(0, this.#channels - 1);
    else if (verb === 'discard') this.#channels = 0;
  }
}
