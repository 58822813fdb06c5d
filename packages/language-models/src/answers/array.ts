/**
 * An answer of Gemini that streams as one list of JSON, element by element. Owns: where each begins and ends. Does not: read what is in them.
 */
import { type Editor, type EventEditor, NO_BYTES, unmasked } from '@sluice/http-bodies';
import type { Operation } from '../provider.js';

/** An element is not let go before its end. */
const MAX_ELEMENT_BYTES = 4 * 1024 * 1024;
const [OPEN, CLOSE, COMMA, QUOTE, BACKSLASH] = [0x5b, 0x5d, 0x2c, 0x22, 0x5c] as const;
const BRACES: ReadonlyMap<number, number> = new Map([
  [0x7b, 1],
  [OPEN, 1],
  [0x7d, -1],
  [CLOSE, -1],
]);
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** Where in the list the next byte is. */
type Place = 'before' | 'element' | 'behind';

export class ArrayAnswer implements Editor {
  readonly held = 0;
  readonly #elements: EventEditor;
  #place: Place = 'before';
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #kept: Buffer[] = [];
  #bytes = 0;
  #written = 0;
  #hasEnded = false;

  /** `make`: what is given each of them, and gives what stands in its place behind what parts it from the one before. */
  constructor(make: (inList: () => Buffer) => EventEditor) {
    this.#elements = make(() => (this.#written++ === 0 ? FIRST : NEXT));
  }

  get waits(): Promise<void> | undefined {
    return this.#elements.waits;
  }

  push(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (this.#place !== 'element') {
        this.#outside(byte);
        from = at + 1;
      } else if (this.#isOver(byte)) {
        this.#keep(bytes.subarray(from, at));
        out.push(this.#element());
        from = at + 1;
        if (byte === CLOSE) this.#place = 'behind';
      }
    }
    if (from < bytes.length) this.#keep(bytes.subarray(from));
    return Buffer.concat(out);
  }

  end(): Buffer {
    if (this.#place !== 'behind') throw unmasked('is a list without an end');
    this.#hasEnded = true;
    return Buffer.concat([this.#elements.end(), this.#last()]);
  }

  release(): Buffer {
    return Buffer.concat([this.#elements.release(), this.#last()]);
  }

  #last(): Buffer {
    if (!this.#hasEnded || this.waits) return NO_BYTES;
    this.#hasEnded = false;
    return this.#written === 0 ? Buffer.from('[]') : LAST;
  }

  #outside(byte: number): void {
    if (isBlank(byte)) return;
    if (this.#place === 'behind' || byte !== OPEN) throw unmasked('is no list of answers');
    this.#place = 'element';
  }

  /** Whether an element ends before this byte. */
  #isOver(byte: number): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) this.#isInString = false;
      return false;
    }
    if (this.#depth === 0 && (byte === COMMA || byte === CLOSE)) return true;
    if (byte === QUOTE) this.#isInString = true;
    this.#depth += BRACES.get(byte) ?? 0;
    return false;
  }

  #keep(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_ELEMENT_BYTES)
      throw unmasked(`has an answer of more than ${MAX_ELEMENT_BYTES} bytes in its list`);
    this.#kept.push(Buffer.from(bytes));
  }

  #element(): Buffer {
    const element = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#bytes = 0;
    return this.#elements.event(NO_BYTES, '', element);
  }
}

/** Whether an answer comes so. `sign`: its first byte that is no blank. */
export const isList = (operation: Operation, sign: number | undefined): boolean =>
  operation === 'contents' && sign === OPEN;

/** `make`: undefined where answers of the operation do not stream, which those that come so do. */
export const listOf = (make: (inList: () => Buffer) => EventEditor | undefined): ArrayAnswer =>
  new ArrayAnswer((inList) => {
    const events = make(inList);
    if (!events) throw unmasked('is a list of answers, which those of this kind are not');
    return events;
  });

const FIRST = Buffer.from('[');
const NEXT = Buffer.from(',\n');
const LAST = Buffer.from(']');
