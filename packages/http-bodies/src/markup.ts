/**
 * HTML and XML, piece by piece: texts, values of attributes, comments, CDATA. Owns: where a piece ends, and which elements it lies in. Does
 * not: put together what markup parts (`ada<b>@</b>example.com`), or resolve entities that a document defines.
 */
import { label } from '@sluice/masking';
import { type Editor, NO_BYTES } from './editor.js';
import { inMarkup, saidByMarkup } from './entities.js';
import { unmasked } from './fault.js';
import { JsonMask, type JsonParts, NotJson } from './json.js';
import { assigned } from './look.js';
import type { Place } from './pointers.js';
import { namedText, shortText } from './text.js';

/** A piece is not let go before its end. */
const MAX_PIECE_BYTES = 4 * 1024 * 1024;
const LONG_PIECE_BYTES = 16 * 1024;
const MAX_DEPTH = 500;
const LESS = 0x3c;
const MORE = 0x3e;
const SLASH = 0x2f;
const BLANK = /^\s*$/;

/** What begins so ends so. */
const ENDS: readonly (readonly [begin: string, end: string])[] = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
];
/** Names of elements and attributes without any of these have nothing that is looked for. */
const MORE_THAN_NAMES = /[^A-Za-z\s<>/="':_-]/;
/** Elements of HTML in which nothing is markup but their end. */
const RAW: ReadonlySet<string> = new Set(['script', 'style']);

interface Element {
  readonly name: string;
  readonly place: Place | undefined;
  readonly masked: Place['mask'];
}

export class MarkupMask implements Editor {
  readonly held = 0;
  readonly #parts: JsonParts;
  readonly #isXml: boolean;
  #kept: Buffer = NO_BYTES;
  /** Came behind it since. */
  readonly #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** So much of it has been looked at for an end. */
  #looked = 0;
  #quote = 0;
  readonly #elements: Element[] = [];
  /** Within an element of `RAW`. */
  #raw: { readonly end: string; readonly isJson: boolean } | undefined;

  constructor(parts: JsonParts, isXml: boolean) {
    this.#parts = parts;
    this.#isXml = isXml;
  }

  push(bytes: Buffer): Buffer {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    // Of a long piece that comes in small ones each is not joined by itself: that would copy all of it each time.
    if (this.#kept.length > LONG_PIECE_BYTES && this.#pendingBytes < this.#kept.length / 8) {
      this.#pending[this.#pending.length - 1] = Buffer.from(bytes);
      return NO_BYTES;
    }
    return this.#pieces(this.#joined());
  }

  #joined(): Buffer {
    const pieces = this.#pending.splice(0);
    this.#pendingBytes = 0;
    return this.#kept.length === 0 && pieces.length === 1
      ? (pieces[0] as Buffer)
      : Buffer.concat([this.#kept, ...pieces]);
  }

  #pieces(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let all = bytes;
    for (let size = this.#size(all); size > 0; size = this.#size(all)) {
      out.push(this.#piece(all.subarray(0, size)));
      all = all.subarray(size);
      this.#looked = 0;
      this.#quote = 0;
    }
    if (all.length > MAX_PIECE_BYTES)
      throw unmasked(`has a piece of more than ${MAX_PIECE_BYTES} bytes without markup`);
    this.#kept = Buffer.from(all);
    return Buffer.concat(out);
  }

  end(): Buffer {
    const before = this.#pieces(this.#joined());
    return Buffer.concat([before, this.#last()]);
  }

  #last(): Buffer {
    const last = this.#kept;
    this.#kept = NO_BYTES;
    if (this.#isXml && (last[0] === LESS || this.#elements.length > 0)) throw unmasked('is XML that has no end');
    return last.length === 0
      ? NO_BYTES
      : last[0] === LESS && this.#raw === undefined
        ? this.#text(last, true)
        : this.#piece(last);
  }

  release(): Buffer {
    return NO_BYTES;
  }

  /** Bytes of the piece that `all` begins with; 0: its end has not come. */
  #size(all: Buffer): number {
    if (all.length === 0) return 0;
    if (this.#raw) return this.#toEnd(all, this.#raw.end, false);
    if (all[0] !== LESS) return this.#toEnd(all, '<', false);
    for (const [begin, end] of ENDS) {
      const start = all.toString('latin1', 0, begin.length);
      if (start === begin) return this.#toEnd(all, end, true, begin.length);
      if (begin.startsWith(start)) return 0;
    }
    if (all[1] === 0x3f) return this.#toEnd(all, this.#isXml ? '?>' : '>', true);
    return all[1] === undefined ? 0 : this.#tagSize(all);
  }

  #toEnd(all: Buffer, end: string, within: boolean, from = 1): number {
    const wanted = Buffer.from(end);
    const raw = this.#raw !== undefined;
    const start = raw ? Math.max(0, this.#looked - wanted.length) : Math.max(from, this.#looked - wanted.length);
    const at = raw ? indexWithoutCase(all, end, start) : all.indexOf(wanted, start);
    this.#looked = all.length;
    if (at < 0) return 0;
    if (raw && at === 0) {
      this.#raw = undefined;
      this.#looked = 0;
      return this.#size(all);
    }
    return within ? at + wanted.length : at;
  }

  /** Quotes keep what would end it. */
  #tagSize(all: Buffer): number {
    for (let at = Math.max(1, this.#looked); at < all.length; at++) {
      const byte = all[at] as number;
      if (this.#quote !== 0) {
        if (byte === this.#quote) this.#quote = 0;
      } else if (byte === 0x22 || byte === 0x27) this.#quote = byte;
      else if (byte === MORE) return at + 1;
    }
    this.#looked = all.length;
    return 0;
  }

  #piece(piece: Buffer): Buffer {
    if (this.#raw) return this.#rawText(piece, this.#raw.isJson);
    if (piece[0] !== LESS) return this.#text(piece, true);
    const start = piece.toString('latin1', 0, 9);
    if (start.startsWith('<!--')) return this.#within(piece, 4, 3);
    if (start === '<![CDATA[') return this.#within(piece, 9, 3);
    if (start.startsWith('<!')) return this.#declaration(piece);
    if (start.startsWith('<?')) return this.#within(piece, 2, 1);
    return this.#tag(piece);
  }

  /** What defines entities says what nobody here reads. */
  #declaration(piece: Buffer): Buffer {
    const text = piece.toString('latin1');
    if (
      text.includes('[') ||
      /<!(?:ENTITY|ELEMENT|ATTLIST|NOTATION)/i.test(text) ||
      (this.#isXml && /\b(?:SYSTEM|PUBLIC)\b/.test(text))
    )
      throw unmasked('has a document type of its own, whose entities are not read here');
    return this.#within(piece, 2, 1);
  }

  #within(piece: Buffer, before: number, after: number): Buffer {
    const inner = piece.subarray(before, piece.length - after);
    const made = this.#text(inner, false);
    return made === inner
      ? piece
      : Buffer.concat([piece.subarray(0, before), made, piece.subarray(piece.length - after)]);
  }

  /** `references`: it may have character references. Elsewhere they are looked behind as well: readers disagree on what a comment is. */
  #text(raw: Buffer, references: boolean): Buffer {
    const text = raw.toString('latin1');
    if (BLANK.test(text)) return raw;
    const element = this.#elements.at(-1);
    const written = (made: string): Buffer =>
      references ? inMarkup(made) : Buffer.from(made.replaceAll(/--|\]\]>|\?>/g, '- '));
    if (element?.masked) return written(namedText(raw.toString('utf8'), element.masked));
    const around = { secret: element && assigned(element.name), place: element?.place, depth: 0 };
    const said = saidByMarkup(raw);
    const { look } = this.#parts;
    const change = look.at(said.bytes, 0, said.bytes.length, around, true);
    if (!change) return raw;
    if (change.type !== 'parts')
      return written(look.changed(said.bytes, 0, said.bytes.length, change)?.toString('utf8') ?? label(''));
    const pieces: Buffer[] = [];
    let copied = 0;
    for (const finding of change.findings) {
      pieces.push(raw.subarray(copied, said.at(finding.start)), written(look.piece(said.bytes, finding)));
      copied = said.at(finding.end);
    }
    return Buffer.concat([...pieces, raw.subarray(copied)]);
  }

  /** A script or a style. */
  #rawText(raw: Buffer, isJson: boolean): Buffer {
    if (isJson) {
      try {
        const mask = new JsonMask(this.#parts);
        return Buffer.concat([mask.push(raw), mask.end()]);
      } catch (error) {
        if (!(error instanceof NotJson)) throw error;
      }
    }
    return shortText(this.#parts.look, raw) ?? raw;
  }

  #tag(piece: Buffer): Buffer {
    const text = piece.toString('latin1');
    const name = /^<\/?([A-Za-z_\x80-\xff][^\s/>]{0,200})/.exec(text)?.[1];
    if (name === undefined) {
      if (this.#isXml) throw unmasked('is no XML');
      return this.#text(piece, true);
    }
    const written = Buffer.from(name.slice(name.lastIndexOf(':') + 1), 'latin1');
    const local = this.#parts.pointers?.nameIn(written) ?? written.toString('utf8');
    if (text.startsWith('</')) {
      this.#closed(local);
      return this.#names(piece);
    }
    const element = this.#opened(local);
    const made = this.#attributes(piece, name.length + 1, element);
    if (this.#isXml && !text.endsWith('/>')) this.#elements.push(element);
    if (this.#elements.length > MAX_DEPTH) throw unmasked(`is nested more than ${MAX_DEPTH} deep`);
    if (!this.#isXml && RAW.has(local.toLowerCase()))
      this.#raw = {
        end: `</${local.toLowerCase()}`,
        isJson: /\btype\s*=\s*["']?application\/(?:ld\+)?json/i.test(text),
      };
    return made;
  }

  #opened(name: string): Element {
    const { pointers } = this.#parts;
    const above = this.#elements.at(-1);
    if (!pointers) return { name, place: undefined, masked: undefined };
    const place = pointers.child(above ? (above.place ?? pointers.start) : pointers.start, pointers.symbolOf(name));
    return { name, place, masked: above?.masked ?? place.mask };
  }

  #closed(name: string): void {
    if (!this.#isXml) return;
    if (this.#elements.pop()?.name !== name) throw unmasked('is no XML');
  }

  /** A tag with the values of its attributes masked. `from`: behind its name. */
  #attributes(piece: Buffer, from: number, element: Element): Buffer {
    const out: Buffer[] = [];
    let copied = 0;
    let name = from;
    let hasChanged = false;
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at] as number;
      if (byte !== 0x3d) continue;
      let start = at + 1;
      while (start < piece.length && (piece[start] as number) <= 0x20) start++;
      const quote = piece[start] === 0x22 || piece[start] === 0x27 ? (piece[start] as number) : 0;
      if (quote !== 0) start++;
      let end = start;
      while (
        end < piece.length &&
        (quote === 0 ? (piece[end] as number) > 0x20 && piece[end] !== MORE : piece[end] !== quote)
      )
        end++;
      const value = piece.subarray(start, end);
      const made = this.#attribute(lastWord(piece.subarray(name, at)), value, element);
      const before = piece.subarray(copied, start);
      const names = this.#names(before);
      out.push(names, made);
      hasChanged ||= made !== value || names !== before;
      copied = end;
      at = end;
      name = end + (quote === 0 ? 0 : 1);
    }
    const last = piece.subarray(copied);
    const names = this.#names(last);
    return hasChanged || names !== last ? Buffer.concat([...out, names]) : piece;
  }

  /** What stands in a tag beside values: a text that is no markup may look like some (`Ada <ada@example.com>`). */
  #names(written: Buffer): Buffer {
    if (!MORE_THAN_NAMES.test(written.toString('latin1'))) return written;
    return shortText(this.#parts.look, written) ?? written;
  }

  #attribute(written: Buffer, value: Buffer, element: Element): Buffer {
    const { pointers } = this.#parts;
    const name = pointers?.nameIn(written) ?? written.toString('utf8');
    if (name === 'xmlns' || name.startsWith('xmlns:')) return value;
    const local = name.slice(name.lastIndexOf(':') + 1);
    const place = pointers && element.place && pointers.child(element.place, pointers.symbolOf(local));
    this.#elements.push({ name: local, place, masked: element.masked ?? place?.mask });
    try {
      return this.#text(value, true);
    } finally {
      this.#elements.pop();
    }
  }
}

/** The name that stands before a sign of equality, with any number of blanks between them and names without a value before it. */
function lastWord(text: Buffer): Buffer {
  let end = text.length;
  while (end > 0 && (text[end - 1] as number) <= 0x20) end--;
  let from = end;
  while (from > 0 && (text[from - 1] as number) > 0x20 && text[from - 1] !== SLASH) from--;
  return text.subarray(from, end);
}

/** Of ASCII letters. Linear: it goes from one `<` to the next. */
function indexWithoutCase(bytes: Buffer, wanted: string, from: number): number {
  for (let at = bytes.indexOf(LESS, from); at >= 0; at = bytes.indexOf(LESS, at + 1))
    if (bytes.toString('latin1', at, at + wanted.length).toLowerCase() === wanted) return at;
  return -1;
}
