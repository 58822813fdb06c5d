/**
 * What a provider says of something that it keeps: a small document of JSON. Owns: who is told what it says. Does not: know what is done
 * with that.
 */
import { type Editor, JsonMask, type JsonParts, NO_BYTES, NotJson, unmasked } from '@sluice/http-bodies';
import { type Json, JsonError, readJson } from '@sluice/http-requests';

/** A list has at most a hundred of them. */
const MAX_BYTES = 1024 * 1024;

export class KeptAnswer implements Editor {
  readonly held = 0;
  readonly #parts: JsonParts;
  readonly #says: (answer: Json) => void;
  readonly #came: Buffer[] = [];
  #bytes = 0;

  /** `says`: is told of what has come whole, before its client has it. */
  constructor(parts: JsonParts, says: (answer: Json) => void) {
    this.#parts = parts;
    this.#says = says;
  }

  push(bytes: Buffer): Buffer {
    this.#came.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_BYTES) throw unmasked(`has more than ${MAX_BYTES} bytes, and says what the provider keeps`);
    return NO_BYTES;
  }

  end(): Buffer {
    const came = Buffer.concat(this.#came.splice(0));
    if (came.length === 0) return came;
    try {
      const mask = new JsonMask(this.#parts);
      this.#says(readJson(came.toString('utf8').replace(/^\ufeff/, '')));
      return Buffer.concat([mask.push(came), mask.end()]);
    } catch (error) {
      if (error instanceof NotJson || error instanceof JsonError)
        throw unmasked(`${error.message} where JSON is expected`);
      throw error;
    }
  }

  release(): Buffer {
    return NO_BYTES;
  }
}
