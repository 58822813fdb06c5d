/**
 * What one session defines at its target, and what it moves by itself there, as far as other sessions have to mind it. Owns: from when until
 * when. Does not own: what is under way of all sessions (`underway.ts`), what a text defines (`defined.ts`), nor who waits for whom
 * (`turns.ts`).
 */
import type { Facts } from '@sluice/contract';
import { joined } from './defined.js';
import { type MeantNames, type Turn, hasAny, meantBy, moves } from './turns.js';
import { ANY, type Defined, type DefinitionsUnderWay, type Moving, type UnderWay } from './underway.js';

export class OwnDefinitions {
  readonly #all: DefinitionsUnderWay;
  readonly #owner: object;
  /** They may take effect at any time; and those of them that the target has answered. */
  readonly #sent = new Set<UnderWay>();
  readonly #answered = new Set<UnderWay>();
  /** Those that its transaction will put into effect; and those of them that the target has answered. */
  readonly #held = new Set<UnderWay>();
  readonly #heldAnswered = new Set<UnderWay>();
  readonly #moving = new Set<Moving>();
  #isOpen = false;

  /** @param owner the session */
  constructor(all: DefinitionsUnderWay, owner: object) {
    this.#all = all;
    this.#owner = owner;
  }

  /** The transaction that is open is one that the client ends. */
  get inBlock(): boolean {
    return this.#isOpen;
  }

  /** A statement has ended the block that the target last spoke of. */
  leftBlock(): void {
    this.#isOpen = false;
  }

  /**
   * What a text may put into effect for others once it is sent; undefined: nothing, at least until its transaction ends.
   *
   * @param defined what it defines
   * @param ranCode code that may define anything has run in this transaction
   * @param isMore its transaction has defined something besides what was told here
   */
  takesEffect(
    defined: Defined | undefined,
    { statements, actions }: Facts,
    { ranCode, isMore }: { readonly ranCode: boolean; readonly isMore: boolean },
  ): Defined | undefined {
    const kinds = statements.flatMap((effect) => (effect.type === 'transaction' ? effect.kind : []));
    if (actions.some(commitsOthers)) return joined([ANY, ...(defined ? [defined] : [])]);
    if (!this.#isOpen) return defined;
    const commits = kinds.includes('commit') || kinds.includes('prepare');
    if (!commits && !(defined && kinds.includes('rollback'))) return undefined;
    // What stands behind the end of a transaction may be another one.
    const several = defined && statements.length > 1 ? [ANY] : [];
    const before = commits ? [...this.#held] : [];
    const unknown = commits && (ranCode || (isMore && before.length === 0)) ? [ANY] : [];
    const all = [...before, ...several, ...unknown, ...(defined ? [defined] : [])];
    return all.length > 0 ? joined(all) : undefined;
  }

  /**
   * A command is about to be sent.
   *
   * @param stop has the target cancel it
   * @returns what to call when the target has answered it
   */
  sends(turn: Turn, defined: Defined | undefined, stop: () => void): () => void {
    const { defines } = turn;
    // The text may begin a transaction, whether it has ended one or not.
    const held = defined && this.#all.hold(defined, this.#owner);
    if (held) this.#held.add(held);
    const sent = defines && this.#all.begin(defines, this.#owner);
    if (sent) this.#sent.add(sent);
    // Those that have begun since it was judged.
    if (defines) for (const one of this.#all.movingBy(defines, this.#owner)) one.stop();
    if (defined || defines)
      return () => {
        if (held) this.#heldAnswered.add(held);
        if (sent) this.#answered.add(sent);
      };
    if (!this.#isOpen && moves(turn)) this.#moves(turn, stop);
    return () => undefined;
  }

  #moves(turn: Turn, stop: () => void): void {
    let names: MeantNames | undefined;
    // What a single statement calls is settled soon, and nobody locks it.
    const isSeveral = turn.facts.statements.length > 1;
    const reaches = ({ named, functions }: Defined): boolean => {
      names ??= meantBy(turn);
      return hasAny(names, named) || (isSeveral && hasAny(names, functions));
    };
    const moving = { owner: this.#owner, reaches, stop };
    this.#moving.add(moving);
    this.#all.moves(moving);
  }

  /** The target is ready for a new command, and the catalog has been told what has changed. `isDone`: it owes nothing more. */
  ready(status: 'idle' | 'open' | 'failed', isDone: boolean): void {
    this.#isOpen = status === 'open';
    this.#end(isDone ? this.#sent : this.#answered);
    // What was sent behind this may have begun another transaction.
    if (status === 'idle') this.#release(isDone ? this.#held : this.#heldAnswered);
    if (isDone) this.#moved();
  }

  /** The session is over. */
  close(): void {
    this.#end(this.#sent);
    this.#release(this.#held);
    this.#moved();
  }

  #end(which: ReadonlySet<UnderWay>): void {
    for (const one of which) {
      this.#all.end(one);
      this.#sent.delete(one);
    }
    this.#answered.clear();
  }

  #release(which: ReadonlySet<UnderWay>): void {
    for (const one of which) {
      this.#all.release(one);
      this.#held.delete(one);
    }
    this.#heldAnswered.clear();
  }

  #moved(): void {
    for (const one of this.#moving) this.#all.moved(one);
    this.#moving.clear();
  }
}

/** A transaction of whichever session. */
export const commitsOthers = ({ verb }: Facts['actions'][number]): boolean => verb === 'commit prepared';
