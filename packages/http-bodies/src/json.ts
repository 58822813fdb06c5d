/**
 * JSON as it passes (RFC 8259), one document or several: values that rules name and what detectors find are replaced in place, all else
 * stays byte for byte, and the answer is the same however the bytes are cut. Owns: the grammar, names that an object has twice, depth and
 * length. Does not: what becomes of a value (look.ts).
 */
import { isUtf8 } from 'node:buffer';
import type { DetectorOptions, MaskOptions } from '@sluice/masking';
import { maskText } from '@sluice/masking';
import { escaped, saidBy } from './escapes.js';
import { unmasked } from './fault.js';
import { Frames } from './frames.js';
import {
  BACKSLASH,
  BEYOND_ASCII,
  BLANK,
  CONTROL,
  ESCAPE,
  LF,
  MEANING,
  MIN_FOUND_BYTES,
  MIN_FOUND_DIGITS,
  NUMBER,
  PLAIN,
  QUOTE,
  RECORD,
  WORDS,
  hashed,
  isShortPlain,
  mayBeHidden,
} from './json-bytes.js';
import { type Around, Look, maskedPlain } from './look.js';
import { type Name, Names } from './names.js';
import type { Place, Pointers } from './pointers.js';

/** It is no JSON. The message is a phrase of which the body is the subject. */
export class NotJson extends Error {
  override readonly name = 'NotJson';
}

/** A string is not let go before its end: what it says as a whole decides. */
const MAX_STRING_BYTES = 16 * 1024 * 1024;
/** Digits of a number. */
const MAX_NUMBER_BYTES = 1024;

/** What is masked, for any number of documents. Names are remembered over all of them. */
export class JsonParts {
  readonly detectors: DetectorOptions | undefined;
  readonly pointers: Pointers | undefined;
  readonly look: Look;
  readonly names: Names;

  constructor(detectors: DetectorOptions | undefined, pointers: Pointers | undefined) {
    this.detectors = detectors;
    this.pointers = pointers;
    this.look = new Look(detectors, (text, place, depth) => inside(this, text, place, depth));
    this.names = new Names(this.look, pointers);
  }
}

/** What may come next. */
const ROOT = 0;
const VALUE = 1;
const ITEM_OR_END = 2;
const NAME_OR_END = 3;
const NAME = 4;
const COLON = 5;
const NEXT = 6;

const EMPTY = Buffer.alloc(0);

type Token = 'none' | 'string' | 'plain';

export class JsonMask {
  readonly #sees: boolean;
  readonly #look: Look;
  readonly #names: Names;
  readonly #depth: number;
  readonly #frames: Frames;
  readonly #alone: Around;
  #expected = ROOT;
  /** The token at work, of which the pieces before this one are kept. */
  #token: Token = 'none';
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #meaning = 0;
  #escape = false;
  /** The string at work is the name of a member, and this is its hash so far. */
  #isName = false;
  #hash = 0;
  #name: Name | undefined;
  /** A document that is a number has ended, and its line has not: groups of digits are no documents. */
  #behindPlain = false;
  /** What has been decided of the piece at work. */
  #out: Buffer[] = [];
  #copied = 0;
  /** Some value was replaced. */
  hasChanged = false;

  /** `start`: what rules say of the document as a whole. `depth`: how many texts it is written in. */
  constructor(parts: JsonParts, start: Place | undefined = parts.pointers?.start, depth = 0) {
    this.#sees = parts.detectors !== undefined;
    this.#depth = depth;
    this.#alone = { secret: undefined, place: undefined, depth };
    this.#look = parts.look;
    this.#names = parts.names;
    this.#frames = new Frames(parts.pointers, start);
  }

  /** Nothing of it is kept for long: a string that has no end yet. */
  get held(): number {
    return this.#keptBytes;
  }

  /** A document has ended, and none has begun. */
  get isBetween(): boolean {
    return this.#expected === ROOT && this.#token === 'none';
  }

  /** @throws NotJson, Unmasked beyond a bound */
  push(bytes: Buffer): Buffer {
    this.#out = [];
    this.#copied = 0;
    let at = 0;
    if (this.#token !== 'none') at = this.#goOn(bytes, at);
    while (at < bytes.length) {
      const byte = bytes[at] as number;
      if (BLANK[byte] === 1) {
        at++;
        if (byte === LF) this.#behindPlain = false;
      } else if (byte === QUOTE) at = this.#string(bytes, at);
      else if (PLAIN[byte] === 1) at = this.#plain(bytes, at);
      else at = this.#sign(bytes, at, byte);
    }
    return this.#given(bytes);
  }

  /** @throws NotJson where a document has no end */
  end(): Buffer {
    this.#out = [];
    this.#copied = 0;
    if (this.#token === 'string') throw new NotJson('ends within a string');
    if (this.#token === 'plain') this.#plainDone(EMPTY, 0);
    if (this.#expected !== ROOT) throw new NotJson('has no end');
    return this.#given(EMPTY);
  }

  #given(bytes: Buffer): Buffer {
    const end = this.#token === 'none' ? bytes.length : Math.max(this.#copied, bytes.length - this.#fresh);
    if (this.#frames.isSwallowing) {
      this.#copied = end;
    } else if (this.#out.length === 0)
      return this.#copied === 0 && end === bytes.length ? bytes : bytes.subarray(this.#copied, end);
    else if (end > this.#copied) this.#out.push(bytes.subarray(this.#copied, end));
    return this.#out.length === 1 ? (this.#out[0] as Buffer) : Buffer.concat(this.#out);
  }

  /** Bytes of the piece at work that the kept token has. */
  #fresh = 0;

  #keep(bytes: Buffer, from: number, most: number): number {
    this.#fresh = bytes.length - from;
    if (this.#fresh > 0) this.#kept.push(Buffer.from(bytes.subarray(from)));
    this.#keptBytes += this.#fresh;
    if (this.#keptBytes > most) throw unmasked(`has a value of more than ${most} bytes`);
    return bytes.length;
  }

  #goOn(bytes: Buffer, at: number): number {
    return this.#token === 'string' ? this.#stringOn(bytes, at, at) : this.#plainOn(bytes, at, at);
  }

  #string(bytes: Buffer, at: number): number {
    this.#isName = this.#expected === NAME_OR_END || this.#expected === NAME;
    if (this.#isName) this.#hash = 0;
    else this.#begins();
    this.#token = 'string';
    this.#meaning = 0;
    this.#escape = false;
    return this.#stringOn(bytes, at, at + 1);
  }

  /** `from`: where the token begins in this piece. */
  #stringOn(bytes: Buffer, from: number, start: number): number {
    const end = bytes.length;
    let at = start;
    if (this.#escape && at < end) {
      this.#escape = false;
      this.#hash = hashed(this.#hash, bytes[at++] as number);
    }
    at = this.#isName ? this.#scanName(bytes, at) : this.#scanValue(bytes, at);
    if (at < end) {
      this.#token = 'none';
      return this.#stringDone(bytes, from, at + 1);
    }
    return this.#keep(bytes, from, MAX_STRING_BYTES);
  }

  /** Where the closing quote is, or the end. */
  #scanValue(bytes: Buffer, from: number): number {
    const end = bytes.length;
    let at = from;
    let meaning = this.#meaning;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      meaning |= MEANING[byte] as number;
      if (byte === BACKSLASH && ++at === end) {
        this.#escape = true;
        break;
      }
    }
    this.#meaning = meaning;
    return at;
  }

  #scanName(bytes: Buffer, from: number): number {
    const end = bytes.length;
    let at = from;
    let meaning = this.#meaning;
    let hash = this.#hash;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      meaning |= MEANING[byte] as number;
      hash = hashed(hash, byte);
      if (byte !== BACKSLASH) continue;
      if (++at === end) {
        this.#escape = true;
        break;
      }
      hash = hashed(hash, bytes[at] as number);
    }
    this.#meaning = meaning;
    this.#hash = hash;
    return at;
  }

  /** `end` is behind the closing quote. */
  #stringDone(bytes: Buffer, from: number, end: number): number {
    const whole = this.#kept.length === 0;
    const raw = whole ? bytes : Buffer.concat([...this.#kept, bytes.subarray(from, end)]);
    const start = whole ? from : 0;
    const stop = whole ? end : raw.length;
    if ((this.#meaning & CONTROL) !== 0) throw new NotJson('has a control character in a string');
    if ((this.#meaning & BEYOND_ASCII) !== 0 && !isUtf8(raw.subarray(start, stop)))
      throw new NotJson('is no UTF-8 text');
    const isName = this.#isName;
    const made = isName ? this.#member(raw, start + 1, stop - 1) : this.#value(raw, start + 1, stop - 1);
    this.#place(raw, start, stop, end, made);
    this.#expected = isName ? COLON : this.#frames.depth === 0 ? ROOT : NEXT;
    return end;
  }

  /** Puts a token, or what stands in place of it, behind what has been given. */
  #place(raw: Buffer, start: number, stop: number, end: number, made: string | Buffer | undefined): void {
    const spans = this.#kept.length > 0;
    if (spans) {
      this.#kept = [];
      this.#keptBytes = 0;
    }
    if (this.#frames.isSwallowing) return;
    if (made !== undefined) this.hasChanged = true;
    if (!spans) {
      if (made === undefined) return;
      if (start > this.#copied) this.#out.push(raw.subarray(this.#copied, start));
    }
    this.#out.push(made === undefined ? raw.subarray(start, stop) : Buffer.from(made));
    this.#copied = end;
  }

  #member(raw: Buffer, start: number, end: number): string | undefined {
    const name = this.#names.at(raw, start, end, this.#hash);
    if (!name) throw new NotJson('has an escape that is none');
    this.#name = name;
    this.#frames.named(name);
    return name.masked === undefined ? undefined : `"${escaped(this.#frames.numbered(name.masked))}"`;
  }

  /** Between two quotes. */
  #value(raw: Buffer, start: number, end: number): string | Buffer | undefined {
    const { mask, place } = this.#frames;
    const secret = this.#name?.secret;
    const hasEscape = (this.#meaning & ESCAPE) !== 0;
    const said = hasEscape ? saidBy(raw, start, end) : undefined;
    if (hasEscape && !said) throw new NotJson('has an escape that is none');
    const bytes = said?.bytes ?? raw;
    const from = said ? 0 : start;
    const to = said ? said.bytes.length : end;
    if (mask) return this.#masked(bytes, from, to, mask);
    if (to - from < MIN_FOUND_BYTES || (!this.#sees && (!place || place.isDead))) return undefined;
    // Escapes may be what hides: `\/` in base64.
    const mayHide = hasEscape || mayBeHidden(this.#meaning, bytes, from, to);
    const change = this.#look.at(bytes, from, to, this.#around(secret, place), mayHide);
    if (!change) return undefined;
    if (change.type === 'nested') return `"${escaped(change.text.toString('utf8'))}"`;
    if (change.type === 'whole') return change.text === null ? 'null' : `"${escaped(change.text)}"`;
    const pieces: Buffer[] = [];
    let copied = start - 1;
    for (const finding of change.findings) {
      pieces.push(
        raw.subarray(copied, said ? said.at(finding.start) : finding.start),
        Buffer.from(escaped(this.#look.piece(bytes, finding))),
      );
      copied = said ? said.at(finding.end) : finding.end;
    }
    return Buffer.concat([...pieces, raw.subarray(copied, end + 1)]);
  }

  /** Mostly there is nothing around. */
  #around(secret: Buffer | undefined, place: Place | undefined): Around {
    return secret || place ? { secret, place, depth: this.#depth } : this.#alone;
  }

  /** A string that rules name. What is found in what its mask would leave has the mask of its own. */
  #masked(bytes: Buffer, from: number, to: number, mask: MaskOptions): string {
    const text = bytes.toString('utf8', from, to);
    const kept = mask.mode.type === 'partial' || mask.mode.type === 'generalise';
    const found = kept
      ? this.#look.at(bytes, from, to, { secret: undefined, place: undefined, depth: this.#depth }, true)
      : undefined;
    const made = found ? maskText(text, { ...mask, mode: { type: 'redact' } }) : maskText(text, mask);
    return made === null ? 'null' : `"${escaped(made)}"`;
  }

  #plain(bytes: Buffer, at: number): number {
    this.#begins();
    this.#token = 'plain';
    return this.#plainOn(bytes, at, at);
  }

  #plainOn(bytes: Buffer, from: number, start: number): number {
    let at = start;
    while (at < bytes.length && PLAIN[bytes[at] as number] === 1) at++;
    if (at === bytes.length) return this.#keep(bytes, from, MAX_NUMBER_BYTES);
    this.#plainDone(bytes, at, from);
    return at;
  }

  #plainDone(bytes: Buffer, end: number, from = 0): void {
    const whole = this.#kept.length === 0;
    const raw = whole ? bytes : Buffer.concat([...this.#kept, bytes.subarray(from, end)]);
    const start = whole ? from : 0;
    const stop = whole ? end : raw.length;
    this.#token = 'none';
    if (this.#isOrdinary && isShortPlain(raw, start, stop)) {
      if (this.#kept.length > 0) this.#place(raw, start, stop, end, undefined);
    } else {
      const written = raw.toString('latin1', start, stop);
      if (!WORDS.has(written) && !NUMBER.test(written)) throw new NotJson('is no JSON');
      this.#place(raw, start, stop, end, this.#plainValue(written));
    }
    this.#expected = this.#frames.depth === 0 ? ROOT : NEXT;
    this.#behindPlain = this.#frames.depth === 0;
  }

  /** Neither rules nor a name say anything of the value at work. */
  get #isOrdinary(): boolean {
    return this.#frames.mask === undefined && this.#name?.secret === undefined;
  }

  #plainValue(written: string): string | undefined {
    const { mask, place } = this.#frames;
    if (mask) {
      const made = maskedPlain(written, mask);
      return made === written ? undefined : made;
    }
    const secret = this.#name?.secret;
    if (WORDS.has(written) || (written.length < MIN_FOUND_DIGITS && !secret)) return undefined;
    const digits = /[eE]/.test(written) && Number.isSafeInteger(Number(written)) ? String(Number(written)) : written;
    const bytes = Buffer.from(digits);
    const found = this.#look.at(bytes, 0, bytes.length, { secret, place, depth: this.#depth }, false);
    return found ? 'null' : undefined;
  }

  #sign(bytes: Buffer, at: number, byte: number): number {
    switch (byte) {
      case 0x7b:
      case 0x5b:
        return this.#open(bytes, at, byte === 0x7b);
      case 0x7d:
      case 0x5d:
        return this.#close(at, byte === 0x7d);
      case 0x3a:
        this.#expects(COLON);
        this.#expected = VALUE;
        return at + 1;
      case 0x2c:
        this.#expects(NEXT);
        this.#expected = this.#frames.isObject ? NAME : VALUE;
        return at + 1;
      case RECORD:
        this.#expects(ROOT);
        this.#behindPlain = false;
        return at + 1;
      default:
        throw new NotJson('is no JSON');
    }
  }

  #open(bytes: Buffer, at: number, isObject: boolean): number {
    this.#begins();
    const gone = !this.#frames.isSwallowing && this.#frames.mask?.mode.type === 'null';
    if (gone) {
      this.hasChanged = true;
      this.#out.push(bytes.subarray(this.#copied, at), NULL);
    }
    this.#frames.open(isObject, this.#name, gone);
    this.#expected = isObject ? NAME_OR_END : ITEM_OR_END;
    return at + 1;
  }

  #close(at: number, isObject: boolean): number {
    const empty = isObject ? NAME_OR_END : ITEM_OR_END;
    if (this.#expected !== empty) this.#expects(NEXT);
    if (this.#frames.isObject !== isObject) throw new NotJson('is no JSON');
    if (this.#frames.close()) this.#copied = at + 1;
    this.#expected = this.#frames.depth === 0 ? ROOT : NEXT;
    return at + 1;
  }

  /** A value begins here. */
  #begins(): void {
    const expected = this.#expected;
    if (this.#behindPlain && expected === ROOT) throw new NotJson('has values that nothing parts');
    if (expected !== ROOT && expected !== VALUE && expected !== ITEM_OR_END) throw new NotJson('is no JSON');
    if (!this.#frames.isObject) this.#name = this.#frames.nameOfList;
    this.#frames.begin(this.#name);
  }

  #expects(what: number): void {
    if (this.#expected !== what) throw new NotJson('is no JSON');
  }
}

const NULL = Buffer.from('null');

/** A text that is JSON itself. */
function inside(parts: JsonParts, text: Buffer, place: Place | undefined, depth: number): Buffer | 'same' | undefined {
  const machine = new JsonMask(parts, place, depth);
  try {
    const made = Buffer.concat([machine.push(text), machine.end()]);
    return machine.hasChanged ? made : 'same';
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
}
