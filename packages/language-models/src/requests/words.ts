/**
 * Lists of words and phrases that rules look for in what is sent to a model. Owns: finding all of them in one pass, also where a phrase is
 * spread over several parts. Does not: normalise texts, or read files.
 */
import { hash } from 'node:crypto';
import { normalised } from './normal.js';

/** Of one list. */
const MAX_PHRASES = 50_000;
const MAX_PHRASE_CHARACTERS = 200;

/** What stands before a letter: nothing, a sign or blank that is none, or the end of the part before, where anything may be meant. */
const TIGHT = 0;
const APART = 1;
const SEAM = 2;

const LETTER = /[\p{L}\p{N}\p{M}]/u;
/** Scripts that write no blank between words: a phrase may begin anywhere there. */
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/** Of ASCII, by a table: this runs for every sign of every prompt. */
const ASCII = Array.from({ length: 0x80 }, (_, code) => LETTER.test(String.fromCharCode(code)));
const isLetter = (sign: string): boolean => ASCII[sign.charCodeAt(0)] ?? LETTER.test(sign);

/** The letters of texts without what parts them. */
export interface Letters {
  readonly letters: string;
  /** Of each UTF-16 unit, and of the end: what stands before it. */
  readonly before: Uint8Array;
}

/** Of normalised parts, in order. */
export function lettersOf(parts: readonly string[]): Letters {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const before = new Uint8Array(length + 1);
  const kept: string[] = [];
  let at = 0;
  let gap = APART;
  for (const part of parts) {
    if (at > 0 && gap === TIGHT) gap = SEAM;
    for (const sign of part) {
      if (!isLetter(sign)) {
        gap = APART;
        continue;
      }
      before[at] = gap;
      kept.push(sign);
      at += sign.length;
      gap = TIGHT;
    }
  }
  before[at] = APART;
  return { letters: kept.join(''), before: before.subarray(0, at + 1) };
}

interface Phrase extends Letters {
  /** It may stand within a word. */
  readonly opens: boolean;
  readonly closes: boolean;
}

interface Node {
  readonly next: Map<number, Node>;
  fail: Node | undefined;
  phrases: Phrase[];
  /** The nearest node behind `fail` at which a phrase ends. */
  shorter: Node | undefined;
}

const emptyNode = (): Node => ({ next: new Map(), fail: undefined, phrases: [], shorter: undefined });

/** All phrases at once (Aho and Corasick, 1975): the time is linear in the text. */
export class WordList {
  readonly #root = emptyNode();
  readonly size: number;
  /** The same for the same list. */
  readonly fingerprint: string;

  /**
   * One phrase a line; empty lines and those that begin with `#` say nothing.
   *
   * @throws TypeError with a phrase for what is no list
   */
  constructor(text: string) {
    let size = 0;
    for (const line of text.split(/\r?\n/)) {
      const written = line.trim();
      if (written === '' || written.startsWith('#')) continue;
      if (written.length > MAX_PHRASE_CHARACTERS)
        throw new TypeError(`a phrase has more than ${MAX_PHRASE_CHARACTERS} characters`);
      if (++size > MAX_PHRASES) throw new TypeError(`a list has more than ${MAX_PHRASES} phrases`);
      this.#add(written);
    }
    this.size = size;
    this.fingerprint = hash('sha256', text, 'hex');
    this.#link();
  }

  /** Whether one of the phrases is in there, as whole words. */
  isIn({ letters, before }: Letters): boolean {
    let node = this.#root;
    for (let at = 0; at < letters.length; at++) {
      const unit = letters.charCodeAt(at);
      while (node !== this.#root && !node.next.has(unit)) node = node.fail ?? this.#root;
      node = node.next.get(unit) ?? this.#root;
      for (let ending: Node | undefined = node; ending; ending = ending.shorter)
        for (const phrase of ending.phrases) if (isThere(phrase, before, at + 1)) return true;
    }
    return false;
  }

  #add(written: string): void {
    const { letters, before } = lettersOf([normalised(written)]);
    if (letters === '') throw new TypeError(`a phrase has no letter: ${written}`);
    let node = this.#root;
    for (let at = 0; at < letters.length; at++) {
      const unit = letters.charCodeAt(at);
      let next = node.next.get(unit);
      if (!next) node.next.set(unit, (next = emptyNode()));
      node = next;
    }
    const signs = Array.from(letters);
    const opens = UNSPACED.test(signs[0] ?? '');
    node.phrases.push({ letters, before, opens, closes: UNSPACED.test(signs.at(-1) ?? '') });
  }

  #link(): void {
    const queue: Node[] = [];
    for (const child of this.#root.next.values()) {
      child.fail = this.#root;
      queue.push(child);
    }
    for (let node = queue.shift(); node; node = queue.shift()) {
      for (const [unit, child] of node.next) {
        let fail = node.fail;
        while (fail && !fail.next.has(unit)) fail = fail.fail;
        child.fail = fail?.next.get(unit) ?? this.#root;
        child.shorter = child.fail.phrases.length > 0 ? child.fail : child.fail.shorter;
        queue.push(child);
      }
    }
  }
}

/** Its words are parted where those of the text are; a seam is both. `end`: behind its last letter. */
function isThere({ letters, before: parted, opens, closes }: Phrase, before: Uint8Array, end: number): boolean {
  const start = end - letters.length;
  if (!opens && before[start] === TIGHT) return false;
  if (!closes && before[end] === TIGHT) return false;
  for (let at = 1; at < letters.length; at++) {
    const there = before[start + at];
    if (there !== SEAM && (there === APART) !== (parted[at] === APART)) return false;
  }
  return true;
}
