/**
 * Masks of JSON documents that a statement puts together, part by part. Owns: finding the parts in the text of a document; all
 * that is not masked stays byte for byte. Does not own: documents that are masked as a whole (`json.ts`).
 */
import { isUtf8 } from 'node:buffer';
import { label } from '../modes.js';
import { elementOf } from './catalog.js';
import { documentLeaf } from './detector.js';
import { columnLeaf, type Leaf, rewritten } from './json.js';
import { isMaskable, maskFor } from './mask.js';
import type { PartMask } from './part-mask.js';
import { endOfQuoted } from './quoted.js';
import { type CellMask, Malformed, type MaskOptions, type PgType } from './types.js';

/** @param versioned it is a jsonb in binary: a byte 1, then the text */
export function documentMask(root: PartMask, versioned: boolean): CellMask {
  const edit = editOf(root);
  return (bytes, start, end) => {
    const from = versioned ? start + 1 : start;
    if (from > end || (versioned && bytes[start] !== 1) || !isUtf8(bytes.subarray(from, end))) throw broken();
    const document = new Document(bytes.toString('utf8', from, end));
    edit?.(document);
    if (edit && !document.isAtEnd()) throw broken();
    const made = document.made();
    return made === undefined ? undefined : Buffer.from(versioned ? `\u0001${made}` : made);
  };
}

/** Goes over one value of a document, and replaces what is masked in it. */
type Edit = (document: Document) => void;

/** Undefined for what stays as it is. */
function editOf(mask: PartMask): Edit | undefined {
  switch (mask.type) {
    case 'keep':
      return undefined;
    case 'mark': {
      const { mode, entity } = mask.options;
      const mark = mode.type === 'null' ? 'null' : JSON.stringify(label(entity));
      return (document) => document.replace(() => mark);
    }
    case 'column': {
      const leaf = leafOf(mask.of, mask.options);
      const constant = mask.options.mode.type === 'null' ? 'null' : undefined;
      return (document) => document.replace((written) => constant ?? whole(written, leaf));
    }
    case 'detect': {
      const leaf = documentLeaf(mask.options);
      return (document) => document.replace((written) => whole(written, leaf));
    }
    case 'object': {
      const edits = new Map(mask.fields.map(([key, field]) => [key, editOf(field)] as const));
      return (document) => editObject(document, (key) => (edits.has(key) ? (edits.get(key) ?? skipped) : undefined));
    }
    case 'map': {
      const edit = editOf(mask.item) ?? skipped;
      return (document) => editObject(document, () => edit);
    }
    case 'list': {
      const edit = editOf(mask.item) ?? skipped;
      return (document) => editArray(document, () => edit);
    }
    case 'tuple': {
      const edits = mask.items.map((item) => editOf(item) ?? skipped);
      return (document) => editArray(document, (n) => edits[n]);
    }
    default:
      return () => {
        throw broken();
      };
  }
}

const skipped: Edit = (document) => document.skip();

function whole(written: string, leaf: Leaf): string {
  const made = rewritten(written, leaf);
  if (made === undefined) throw broken();
  return made;
}

/** A key that nobody knows is none of the statement's: nothing is known of such a document. */
function editObject(document: Document, editOfKey: (key: string) => Edit | undefined): void {
  if (document.takesNull()) return;
  document.take('{');
  if (document.takes('}')) return;
  do {
    const edit = editOfKey(document.key());
    if (!edit) throw broken();
    document.take(':');
    edit(document);
  } while (document.takes(','));
  document.take('}');
}

function editArray(document: Document, editAt: (n: number) => Edit | undefined): void {
  if (document.takesNull()) return;
  document.take('[');
  if (document.takes(']')) return;
  for (let n = 0; ; n++) {
    const edit = editAt(n);
    if (!edit) throw broken();
    edit(document);
    if (!document.takes(',')) break;
  }
  document.take(']');
}

/** The text of a document, a place in it, and what was replaced before that. */
class Document {
  readonly #text: string;
  readonly #out: string[] = [];
  #at = 0;
  #copied = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** undefined where nothing was replaced. */
  made(): string | undefined {
    return this.#out.length === 0 ? undefined : this.#out.join('') + this.#text.slice(this.#copied);
  }

  isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#text.length;
  }

  take(sign: string): void {
    if (!this.takes(sign)) throw broken();
  }

  takes(sign: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  takesNull(): boolean {
    this.#skipSpace();
    const isNull = this.#text.startsWith('null', this.#at);
    if (isNull) this.#at += 4;
    return isNull;
  }

  key(): string {
    this.#skipSpace();
    const from = this.#at;
    const value: unknown = this.#text[from] === '"' ? JSON.parse(this.#skipValue()) : undefined;
    if (typeof value !== 'string') throw broken();
    return value;
  }

  skip(): void {
    this.#skipSpace();
    this.#skipValue();
  }

  /** @param by is given the value as it is written */
  replace(by: (written: string) => string): void {
    this.#skipSpace();
    const from = this.#at;
    const written = this.#skipValue();
    const made = by(written);
    if (made === written) return;
    this.#out.push(this.#text.slice(this.#copied, from), made);
    this.#copied = this.#at;
  }

  #skipSpace(): void {
    while (SPACE.has(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /** A whole value, however deep. */
  #skipValue(): string {
    const from = this.#at;
    let depth = 0;
    do {
      const one = this.#text[this.#at];
      if (one === undefined) throw broken();
      if (one === '"') {
        const next = endOfQuoted(this.#text, this.#at);
        if (next < 0) throw broken();
        this.#at = next;
        continue;
      }
      if (one === '{' || one === '[') depth++;
      else if (one === '}' || one === ']') depth--;
      if (depth === 0 && !CLOSING.has(one)) this.#skipWord();
      else this.#at++;
    } while (depth > 0);
    if (depth < 0 || this.#at === from) throw broken();
    return this.#text.slice(from, this.#at);
  }

  /** A number, true, false or null. */
  #skipWord(): void {
    while (this.#at < this.#text.length && !ENDING.has(this.#text[this.#at] as string)) this.#at++;
  }
}

const SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const CLOSING: ReadonlySet<string> = new Set(['}', ']']);
const ENDING: ReadonlySet<string> = new Set([',', '}', ']', '{', '[', ':', '"', ' ', '\t', '\n', '\r']);
const broken = (): Malformed => new Malformed('not the document of this statement');

/**
 * The leaves of a column that is part of a document: what its own mask makes of it, written as JSON (json.c). Documents in it, and
 * what has no such mask, are masked leaf by leaf.
 */
function leafOf(type: PgType, options: MaskOptions): Leaf {
  const general = columnLeaf(options);
  const { kind, oid } = type;
  const element = elementOf(type);
  if ((kind === 'domain' || kind === 'array') && element) return leafOf(element, options);
  if (oid === 114 || oid === 3802 || !LEAVES.has(kind) || !isMaskable(type, 'text')) return general;
  const mask = maskFor(type, 'text', options);
  const separator = TIMESTAMPS.has(oid);
  return (of, value) => {
    if (of === 'key') return undefined;
    if (of === 'boolean') return 'null';
    const bytes = Buffer.from(separator ? value.replace('T', ' ') : value);
    const masked = mask(bytes, 0, bytes.length);
    if (masked === null) return 'null';
    const text = masked === undefined ? value : masked.toString();
    if (of === 'number' && NUMBER.test(text)) return text;
    return JSON.stringify(separator ? inDocument(text) : text);
  };
}

/** A date and time as they stand in a document (JsonEncodeDateTime): with a T, and minutes in each time zone. */
const inDocument = (text: string): string => text.replace(' ', 'T').replace(/[+-]\d\d$/, '$&:00');

const LEAVES: ReadonlySet<PgType['kind']> = new Set(['base', 'enum']);
/** In documents their date and time stand on either side of a T. */
const TIMESTAMPS: ReadonlySet<number> = new Set([1114, 1184]);
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
