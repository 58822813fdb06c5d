/**
 * JSON as rules may rely on it: what two parsers could read differently is no JSON here. Owns: a strict reader (RFC 8259) that keeps
 * numbers as they are written. Does not: change anything.
 */

import { isNamed } from './fold.js';

/** A value as it is written: numbers keep their digits. */
export type Json =
  | { readonly type: 'string'; readonly text: string }
  /** A number, `true`, `false` or `null`, as written. */
  | { readonly type: 'plain'; readonly text: string }
  | { readonly type: 'array'; readonly items: readonly Json[] }
  | { readonly type: 'object'; readonly members: ReadonlyMap<string, Json> };

/** Why it is not read: a phrase of which the body is the subject. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** Arrays and objects within each other. */
const MAX_DEPTH = 200;
/** Values of one text, each of which takes a hundred bytes and more. */
const MAX_VALUES = 500_000;

/** @throws JsonError for what is no JSON, a name that an object has twice, too deep nesting, and too many values */
export function readJson(text: string): Json {
  return new JsonReader(text).document();
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What `true`, `false` and `null` begin with. */
const WORDS: ReadonlyMap<number, string> = new Map([
  [0x74, 'true'],
  [0x66, 'false'],
  [0x6e, 'null'],
]);

class JsonReader {
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    this.#blank();
    const value = this.#value(0);
    this.#blank();
    if (this.#at < this.#text.length) throw new JsonError('has something behind its JSON value');
    return value;
  }

  #value(depth: number): Json {
    if (++this.#values > MAX_VALUES) throw new JsonError(`has more than ${MAX_VALUES} values`);
    const code = this.#text.charCodeAt(this.#at);
    if (code === QUOTE) return { type: 'string', text: this.#string() };
    if (code === 0x7b) return this.#object(depth + 1);
    if (code === 0x5b) return this.#array(depth + 1);
    const word = WORDS.get(code);
    if (word !== undefined && this.#text.startsWith(word, this.#at)) {
      this.#at += word.length;
      return { type: 'plain', text: word };
    }
    return { type: 'plain', text: this.#number() };
  }

  #object(depth: number): Json {
    this.#deeper(depth);
    const members = new Map<string, Json>();
    this.#blank();
    if (this.#skip('}')) return { type: 'object', members };
    do {
      this.#blank();
      if (this.#text.charCodeAt(this.#at) !== QUOTE) throw new JsonError('is no JSON');
      const name = this.#string();
      if (members.has(name)) throw new JsonError('has an object with the same name twice');
      this.#blank();
      this.#expect(':');
      this.#blank();
      members.set(name, this.#value(depth));
      this.#blank();
    } while (this.#skip(','));
    this.#expect('}');
    return { type: 'object', members };
  }

  #array(depth: number): Json {
    this.#deeper(depth);
    const items: Json[] = [];
    this.#blank();
    if (this.#skip(']')) return { type: 'array', items };
    do {
      this.#blank();
      items.push(this.#value(depth));
      this.#blank();
    } while (this.#skip(','));
    this.#expect(']');
    return { type: 'array', items };
  }

  #string(): string {
    const text = this.#text;
    const from = ++this.#at;
    let at = from;
    let hasEscapes = false;
    for (;;) {
      const code = text.charCodeAt(at);
      // Beyond the end it is NaN.
      if (!(code >= 0x20)) throw new JsonError('is no JSON');
      if (code === QUOTE) break;
      if (code === BACKSLASH) hasEscapes = true;
      at += code === BACKSLASH ? 2 : 1;
    }
    this.#at = at + 1;
    return hasEscapes ? unescaped(text.slice(from - 1, at + 1)) : text.slice(from, at);
  }

  #deeper(depth: number): void {
    this.#at++;
    if (depth > MAX_DEPTH) throw new JsonError(`is nested more than ${MAX_DEPTH} deep`);
  }

  #blank(): void {
    const text = this.#text;
    for (let at = this.#at; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) continue;
      this.#at = at;
      return;
    }
  }

  #number(): string {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text)?.[0];
    if (found === undefined) throw new JsonError('is no JSON');
    this.#at += found.length;
    return found;
  }

  #skip(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#skip(sign)) throw new JsonError('is no JSON');
  }
}

/** What a string with its quotes says. One by one, escapes take ten times as long and as much memory. */
function unescaped(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new JsonError('is no JSON');
  }
}

/**
 * Every value that a JSON pointer (RFC 6901) leads to; `*` as a whole step stands for every member of an array or object.
 *
 * @throws TypeError for what is no pointer
 */
export function valuesAt(value: Json, pointer: string): readonly Json[] {
  let at: readonly Json[] = [value];
  for (const step of stepsOf(pointer)) at = at.flatMap((one) => inside(one, step));
  return at;
}

/** @throws TypeError */
export function stepsOf(pointer: string): readonly string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new TypeError('a JSON pointer is empty or begins with a slash');
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function inside(value: Json, step: string): readonly Json[] {
  if (value.type === 'array') {
    if (step === '*') return value.items;
    const item = /^(?:0|[1-9][0-9]*)$/.test(step) ? value.items[Number(step)] : undefined;
    return item ? [item] : [];
  }
  if (value.type !== 'object') return [];
  if (step === '*') return [...value.members.values()];
  return membersNamed(value.members, step);
}

/** Also those whose name differs in case alone: there may be several, and which of them counts is for the server to say. */
export function membersNamed(members: ReadonlyMap<string, Json>, wanted: string): readonly Json[] {
  const found: Json[] = [];
  for (const [name, member] of members) if (isNamed(name, wanted)) found.push(member);
  return found;
}

/** As text: of a string what it says, of anything else how it is written in JSON without blanks. */
export function textOf(value: Json): string {
  return value.type === 'string' ? value.text : jsonOf(value);
}

/** As JSON without blanks. Numbers keep their digits. */
export function jsonOf(value: Json): string {
  switch (value.type) {
    case 'string':
      return quoted(value.text);
    case 'plain':
      return value.text;
    case 'array':
      return `[${value.items.map(jsonOf).join(',')}]`;
    default:
      return writtenObject(value.members);
  }
}

function writtenObject(members: ReadonlyMap<string, Json>): string {
  let text = '';
  for (const [name, one] of members) text += `${text === '' ? '' : ','}${quoted(name)}:${jsonOf(one)}`;
  return `{${text}}`;
}

/** Most texts need no escape, which is told in a fraction of the time that it takes to write one with them. */
const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));
const PLAIN = /^[ !#-[\]-~]{0,64}$/;
