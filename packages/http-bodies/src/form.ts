/**
 * Forms (`application/x-www-form-urlencoded`, URL Standard section 5), field by field. Owns: their encoding. Does not: forms with uploads.
 */
import { OTHER_CHARSET, saysCharset } from '@sluice/http-requests';
import { percentDecoded } from './decodings.js';
import { type Editor, NO_BYTES } from './editor.js';
import { unmasked } from './fault.js';
import type { JsonParts } from './json.js';
import { assigned } from './look.js';
import type { Place, Pointers } from './pointers.js';
import { namedText, shortText } from './text.js';

/** A field is not let go before its end. */
const MAX_FIELD_BYTES = 16 * 1024 * 1024;
const AND = 0x26;
const IS = 0x3d;

export class FormMask implements Editor {
  readonly held = 0;
  readonly #parts: JsonParts;
  #kept: Buffer[] = [];
  #bytes = 0;

  constructor(parts: JsonParts) {
    this.#parts = parts;
  }

  push(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(AND); at >= 0; at = bytes.indexOf(AND, from)) {
      this.#keep(bytes.subarray(from, at));
      out.push(this.#field(), bytes.subarray(at, at + 1));
      from = at + 1;
    }
    this.#keep(bytes.subarray(from));
    return Buffer.concat(out);
  }

  end(): Buffer {
    return this.#field();
  }

  release(): Buffer {
    return NO_BYTES;
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#kept.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_FIELD_BYTES) throw unmasked(`has a field of more than ${MAX_FIELD_BYTES} bytes`);
  }

  #field(): Buffer {
    const field = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#bytes = 0;
    const at = field.indexOf(IS);
    const name = at < 0 ? field : field.subarray(0, at);
    const said = percentDecoded(name, true) ?? name;
    const names = shortText(this.#parts.look, said);
    const written = names ? encoded(names.toString('utf8')) : name;
    if (at < 0) return written;
    return Buffer.concat([
      written,
      field.subarray(at, at + 1),
      this.#value(nameOfField(this.#parts, said), field.subarray(at + 1)),
    ]);
  }

  #value(name: string, written: Buffer): Buffer {
    const said = percentDecoded(written, true) ?? written;
    const made = fieldValue(this.#parts, name, said);
    return made ? encoded(made.toString('utf8')) : written;
  }
}

/** @throws BodyUnmasked where it could be that of a field to mask, in another charset */
export const nameOfField = ({ pointers }: JsonParts, written: Buffer): string =>
  pointers?.nameIn(written) ?? written.toString('utf8');

/** The value of a field of this name; undefined: it stays. @throws BodyUnmasked where it says that the others are of another charset */
export function fieldValue(parts: JsonParts, name: string, said: Buffer): Buffer | undefined {
  if (saysCharset([[name, said.toString('utf8')]])) throw unmasked(OTHER_CHARSET);
  const place = parts.pointers && placeOfField(parts.pointers, name);
  if (place?.mask) return Buffer.from(namedText(said.toString('utf8'), place.mask));
  return shortText(parts.look, said, { secret: assigned(name), place, depth: 0 });
}

/** Frameworks make objects and lists of fields: `user[role]`, `user.role`. */
export function placeOfField(pointers: Pointers, name: string): Place {
  let place = pointers.start;
  // PHP takes blanks off, and what stands behind a NUL.
  for (const written of (name.split('\0', 1)[0] ?? '').split(/[[\].]+/)) {
    const step = written.trim();
    if (step === '' || place.mask) continue;
    place = pointers.child(place, pointers.symbolOf(step));
  }
  return place;
}

const encoded = (text: string): Buffer => Buffer.from(encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+'));
