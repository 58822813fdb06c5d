/**
 * JSON that is said to be some, and texts that look like it. Owns: until when the one may turn out to be the other. Does not: read either.
 */
import { type Editor, NO_BYTES } from './editor.js';
import { unmasked } from './fault.js';
import { JsonMask, type JsonParts, NotJson } from './json.js';

/** What looks like JSON so far is JSON from here on. Bytes. */
const MAX_MAYBE_BYTES = 1024 * 1024;

/** What is said to be JSON, and is refused where it is not. */
export class StrictJson implements Editor {
  readonly held = 0;
  readonly #mask: JsonMask;

  constructor(mask: JsonMask) {
    this.#mask = mask;
  }

  push(bytes: Buffer): Buffer {
    return refusing(() => this.#mask.push(bytes));
  }

  end(): Buffer {
    return refusing(() => this.#mask.end());
  }

  release(): Buffer {
    return NO_BYTES;
  }
}

function refusing(act: () => Buffer): Buffer {
  try {
    return act();
  } catch (error) {
    if (error instanceof NotJson) throw unmasked(`${error.message} where JSON is expected`);
    throw error;
  }
}

/**
 * A body of another type, or of none, that begins as JSON does: programs read it as such whatever its type says. Nothing of it goes until
 * it is known, which is at its end, or when a document has ended and nothing follows for a while.
 */
export class MaybeJson implements Editor {
  readonly #other: () => Editor;
  readonly #mask: JsonMask;
  #came: Buffer[] = [];
  #given: Buffer[] = [];
  #bytes = 0;
  #chosen: Editor | undefined;

  /** `other`: what it is if it is no JSON. */
  constructor(parts: JsonParts, other: () => Editor) {
    this.#other = other;
    this.#mask = new JsonMask(parts);
  }

  get held(): number {
    return this.#chosen?.held ?? this.#bytes;
  }

  push(bytes: Buffer): Buffer {
    if (this.#chosen) return this.#chosen.push(bytes);
    const room = MAX_MAYBE_BYTES - this.#bytes;
    const other = this.#try(bytes.subarray(0, room));
    const rest = bytes.subarray(room);
    if (other) return Buffer.concat([other.push(this.#taken(this.#came)), other.push(rest)]);
    if (this.#bytes < MAX_MAYBE_BYTES) return NO_BYTES;
    return Buffer.concat([this.#json(), this.push(rest)]);
  }

  end(): Buffer {
    if (this.#chosen) return this.#chosen.end();
    try {
      this.#given.push(this.#mask.end());
      return this.#taken(this.#given);
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      const other = this.#other();
      return Buffer.concat([other.push(this.#taken(this.#came)), other.end()]);
    }
  }

  release(): Buffer {
    if (this.#chosen) return this.#chosen.release();
    return this.#mask.isBetween ? this.#json() : NO_BYTES;
  }

  /** @returns what it is, where it is no JSON */
  #try(bytes: Buffer): Editor | undefined {
    // A copy: what came is only lent.
    const came = Buffer.from(bytes);
    this.#came.push(came);
    this.#bytes += came.length;
    try {
      this.#given.push(this.#mask.push(came));
      return undefined;
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      return (this.#chosen = this.#other());
    }
  }

  #json(): Buffer {
    this.#chosen = new StrictJson(this.#mask);
    this.#came = [];
    return this.#taken(this.#given);
  }

  #taken(pieces: Buffer[]): Buffer {
    return Buffer.concat(pieces.splice(0));
  }
}
