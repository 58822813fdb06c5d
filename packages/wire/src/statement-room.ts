/**
 * Memory for what clients of databases have prepared and not closed: each text is kept, since it is judged whenever it runs. Owns: how much of it one
 * principal may have in all of their sessions. Does not: keep statements (of each protocol).
 */
import { Room, type RoomBounds } from './room.js';
import { SessionRoom } from './session-room.js';

const BOUNDS: RoomBounds = { ofOne: 256 * 1024 * 1024, all: 1024 * 1024 * 1024 };
/** Of a statement besides its text, and of an open portal or cursor. Bytes. */
const STATEMENT_BYTES = 512;
export const PORTAL_BYTES = 2 * 1024;

const prepared = new Room();

/** What a statement of this text takes, in bytes: strings of JavaScript have up to two for each character. `types`: how many are known of it. */
export const statementBytes = (text: string, types = 0): number => STATEMENT_BYTES + text.length * 2 + types * 8;

/** What one session has of it. */
export class StatementRoom extends SessionRoom {
  /** `who`: the principal. */
  constructor(who: string, bounds: RoomBounds = BOUNDS) {
    super(prepared, who, bounds);
  }
}

/** Things by name or number that take room. */
export class Roomy<Key, Value> extends Map<Key, Value> {
  readonly #room: StatementRoom;
  readonly #bytesOf: (value: Value) => number;

  constructor(room: StatementRoom, bytesOf: (value: Value) => number) {
    super();
    this.#room = room;
    this.#bytesOf = bytesOf;
  }

  override set(name: Key, value: Value): this {
    this.#give(name);
    this.#room.take(this.#bytesOf(value));
    return super.set(name, value);
  }

  override delete(name: Key): boolean {
    this.#give(name);
    return super.delete(name);
  }

  override clear(): void {
    for (const value of this.values()) this.#room.give(this.#bytesOf(value));
    super.clear();
  }

  #give(name: Key): void {
    const before = this.get(name);
    if (before !== undefined) this.#room.give(this.#bytesOf(before));
  }
}
