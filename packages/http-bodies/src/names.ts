/**
 * Names of members, each looked at once. Owns: finding the same name again by its bytes. Does not: know which names an object has.
 */
import { label } from '@sluice/masking';
import { saidBy } from './escapes.js';
import { type Look, ALONE, assigned } from './look.js';
import { OTHER_NAME, type Pointers } from './pointers.js';

export interface Name {
  /** What it says. */
  readonly text: string;
  /** For `Pointers.child`. */
  readonly symbol: number;
  /** For `Around.secret`. */
  readonly secret: Buffer | undefined;
  /** What it is masked as; undefined: it stays. */
  readonly masked: string | undefined;
}

interface Known {
  readonly raw: Buffer;
  readonly name: Name;
}

/** A power of two. Names that do not fit are looked at each time. */
const SLOTS = 512;
/** A longer one is data. */
const MAX_KEPT_BYTES = 128;
/** Shorter ones, and single words, hide nothing. */
const MIN_FOUND_BYTES = 6;
const WORD = /^[a-z_]{1,20}$/;

export class Names {
  readonly #known: (Known | undefined)[] = [];
  readonly #look: Look;
  readonly #pointers: Pointers | undefined;

  constructor(look: Look, pointers: Pointers | undefined) {
    this.#look = look;
    this.#pointers = pointers;
  }

  /** The name between two quotes. Undefined: some escape in it is none. */
  at(raw: Buffer, start: number, end: number, hash: number): Name | undefined {
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#known[slot];
    if (known && isSame(known.raw, raw, start, end)) return known.name;
    const { told } = this.#look;
    const name = this.#made(raw, start, end);
    const isAlways = told === this.#look.told;
    if (name && isAlways && end - start <= MAX_KEPT_BYTES)
      this.#known[slot] = { raw: Buffer.from(raw.subarray(start, end)), name };
    return name;
  }

  #made(raw: Buffer, start: number, end: number): Name | undefined {
    const said = saidBy(raw, start, end)?.bytes;
    if (!said) return undefined;
    const text = said.toString('utf8');
    const change =
      this.#look.detectors &&
      said.length >= MIN_FOUND_BYTES &&
      this.#look.at(said, 0, said.length, ALONE, !WORD.test(text));
    const masked = change
      ? (this.#look.changed(said, 0, said.length, change)?.toString('utf8') ?? label(''))
      : undefined;
    return { text, symbol: this.#pointers?.symbolOf(text) ?? OTHER_NAME, secret: assigned(text), masked };
  }
}

function isSame(known: Buffer, raw: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== raw[start + at]) return false;
  return true;
}
