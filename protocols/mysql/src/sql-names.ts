/**
 * Statements that were prepared by SQL (PREPARE), by name, as the target has confirmed them. Owns: what a name stands for when
 * EXECUTE is judged. A name whose text nobody has read stands for nothing.
 */
import type { Facts } from '@sluice/contract';
import { Roomy, type StatementRoom, statementBytes } from '@sluice/wire';

/** A session with more names than this, or than there is room for, has lost them: what they stand for is then unknown. */
const MAX_NAMES = 10_000;

export class SqlNames {
  readonly #texts: Roomy<string, string>;
  readonly #room: StatementRoom;

  constructor(room: StatementRoom) {
    this.#room = room;
    this.#texts = new Roomy(room, (text) => statementBytes(text));
  }

  text(name: string): string | undefined {
    return this.#texts.get(name.toLowerCase());
  }

  /** A statement has run: names that it gave or took. */
  ran({ actions, statements }: Facts): void {
    for (const effect of statements) {
      if (effect.type === 'prepare') this.#texts.set(effect.name.toLowerCase(), effect.text);
      else if (effect.type === 'deallocate') this.#remove(effect.name);
    }
    // Prepared from something that cannot be read.
    const known = statements.some(({ type }) => type === 'prepare' || type === 'deallocate');
    if (!known && actions.some(({ verb }) => verb === 'prepare')) this.clear();
    if (this.#texts.size > MAX_NAMES || !this.#room.fits(0)) this.clear();
  }

  clear(): void {
    this.#texts.clear();
  }

  #remove(name: string | undefined): void {
    if (name === undefined) this.clear();
    else this.#texts.delete(name.toLowerCase());
  }
}
