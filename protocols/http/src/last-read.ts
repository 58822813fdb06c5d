/**
 * Texts that come again and again, and what they were read as. Owns: what one connection sent last, and what several of them repeat. Does not: read,
 * or change what was read.
 */
import { Recent } from '@sluice/wire';

/** Texts up to this length are remembered, in characters. */
export const MAX_REMEMBERED_LENGTH = 4096;

/** What connections have sent more than once: others send it as well. */
export type Repeated<Value> = Recent<string, Value>;

/** The last text of one connection. */
export class LastRead<Value extends object> {
  readonly #repeated: Repeated<Value> | undefined;
  #text: string | undefined;
  #value: Value | undefined;
  #shared = false;

  /** `repeated`: absent where what is read belongs to the connection alone. */
  constructor(repeated: Repeated<Value> | undefined) {
    this.#repeated = repeated;
  }

  /** The same object for the same text. What `read` throws is thrown. */
  of(text: string, read: () => Value): Value {
    if (this.#value && text === this.#text) return this.#again(text, this.#value);
    const value = read();
    this.#text = text.length <= MAX_REMEMBERED_LENGTH ? text : undefined;
    this.#value = value;
    this.#shared = false;
    return value;
  }

  #again(text: string, value: Value): Value {
    if (this.#shared || !this.#repeated) return value;
    this.#shared = true;
    const known = this.#repeated.get(text);
    if (known) return (this.#value = known);
    this.#repeated.set(text, value);
    return value;
  }
}
