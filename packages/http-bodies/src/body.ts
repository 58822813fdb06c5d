/**
 * One body as it passes, of whatever kind it is: by its first bytes, and then by what its type says. Owns: the choice, and what is refused
 * because nobody can read it. Does not: read any kind itself.
 */
import { isUtf8 } from 'node:buffer';
import { isGrpc, mediaType } from '@sluice/http-requests';
import { type Editor, NO_BYTES } from './editor.js';
import { EventsMask } from './events.js';
import { unmasked } from './fault.js';
import { FormMask } from './form.js';
import { BOM } from './json-bytes.js';
import { JsonMask } from './json.js';
import { type Kind, choiceFor, isWide, kindOf, unreadCharset } from './media.js';
import { MaybeJson, StrictJson } from './maybe-json.js';
import { MarkupMask } from './markup.js';
import { MultipartMask } from './multipart.js';
import type { BodyParts } from './parts.js';
import { TableMask } from './table.js';
import { WithoutEscapes, textEditor } from './text.js';

/** Blanks before the first sign; a body of more has no kind but that of its type. */
const MAX_BLANKS_BYTES = 1024;
/** So much of what claims to be no text is looked at. */
const LOOKED_BYTES = 512;
/** So many bytes tell whether letters have several each. */
const WIDE_BYTES = 4;
const PASSED: Editor = { push: (bytes) => bytes, end: () => NO_BYTES, held: 0, release: () => NO_BYTES };

/** Why a body of this type does not pass, as far as its head tells: a phrase; undefined: it does, or its bytes decide. */
export function refusedByHead(contentType: string, parts: BodyParts): string | undefined {
  const kind = kindOf(contentType);
  const type = mediaType(contentType);
  // Browsers take the last of several types, and others the first.
  if (contentType.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').includes(',')) return 'says twice what it is';
  if (choiceFor(parts.unread, contentType) !== undefined) return undefined;
  if (kind === 'other') return `is of a type that masks cannot read (${type.slice(0, 100)})`;
  if (parts.pointers && !HAS_PLACES.has(kind))
    return `is of a type in which there are no places to mask (${type.slice(0, 100)})`;
  const charset = unreadCharset(contentType);
  return charset === undefined ? undefined : `is in a charset that is not read here (${charset})`;
}

/** Kinds in which a place such as `/items/*\\/email` is somewhere, and those whose bytes tell. */
const HAS_PLACES: ReadonlySet<Kind> = new Set(['json', 'events', 'table', 'form', 'multipart', 'xml', 'unsaid']);

/** Editors for what follows more than one value at a time, in place of the usual ones. */
export interface OwnEditors {
  /** `sign`: the first byte that is no blank. Undefined: the usual one does. */
  readonly editor: (kind: Kind, sign: number | undefined) => Editor | undefined;
  /** See `BodyEditor.given`. */
  readonly given?: (recorded: Buffer) => Buffer;
  /** They may have an editor for a body of a type that masks cannot read. */
  readonly readsAll?: boolean;
}

/** How a body of a type is edited; for the parts of one, too. */
export class BodyMask implements Editor {
  readonly #contentType: string;
  readonly #parts: BodyParts;
  readonly #own: OwnEditors | undefined;
  #first: Buffer = NO_BYTES;
  #editor: Editor | undefined;

  constructor(contentType: string, parts: BodyParts, own?: OwnEditors) {
    this.#contentType = contentType;
    this.#parts = parts;
    this.#own = own;
  }

  get waits(): Promise<void> | undefined {
    return this.#editor?.waits;
  }

  get held(): number {
    return this.#editor?.held ?? 0;
  }

  push(bytes: Buffer): Buffer {
    if (this.#editor) return this.#editor.push(bytes);
    this.#first = this.#first.length === 0 ? bytes : Buffer.concat([this.#first, bytes]);
    if (!this.#isTold()) {
      this.#first = Buffer.from(this.#first);
      return NO_BYTES;
    }
    return this.#begin();
  }

  end(): Buffer {
    if (this.#editor) return this.#editor.end();
    if (this.#first.length === 0) return NO_BYTES;
    const given = this.#begin();
    return Buffer.concat([given, (this.#editor as unknown as Editor).end()]);
  }

  release(): Buffer {
    return this.#editor?.release() ?? NO_BYTES;
  }

  /** Whether the bytes so far tell what it is. */
  #isTold(): boolean {
    const kind = kindOf(this.#contentType);
    // A call that streams waits for nothing that does not come.
    if (this.#own && isGrpc(this.#contentType)) return true;
    if (kind === 'other') return this.#first.length >= LOOKED_BYTES;
    if (this.#first.length < WIDE_BYTES) return false;
    return firstSign(this.#first) !== undefined || this.#first.length > MAX_BLANKS_BYTES;
  }

  #begin(): Buffer {
    const first = this.#first;
    this.#first = NO_BYTES;
    const own = this.#own?.editor(kindOf(this.#contentType), firstSign(first));
    const why = !own && this.#own?.readsAll ? refusedByHead(this.#contentType, this.#parts) : undefined;
    if (why !== undefined) throw unmasked(why);
    this.#editor = own ?? editorFor(this.#contentType, first, this.#parts);
    if (first.indexOf(BOM) !== 0) return this.#editor.push(first);
    return Buffer.concat([BOM, this.#editor.push(first.subarray(BOM.length))]);
  }
}

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** The first byte that is no blank, behind a byte order mark. */
function firstSign(bytes: Buffer): number | undefined {
  let at = bytes.indexOf(BOM) === 0 ? BOM.length : 0;
  while (at < bytes.length && isBlank(bytes[at] as number)) at++;
  return bytes[at];
}

function editorFor(contentType: string, first: Buffer, parts: BodyParts): Editor {
  const kind = kindOf(contentType);
  const choice = choiceFor(parts.unread, contentType);
  if (isWide(first)) throw unmasked('is in a charset that is not read here (UTF-16 or UTF-32)');
  if (kind === 'other') {
    if (choice === undefined)
      throw unmasked(`is of a type that masks cannot read (${mediaType(contentType).slice(0, 100)})`);
    // A text under the name of a picture is read as one by whoever asked for it.
    if (choice === 'pass' && !looksLikeText(first)) return PASSED;
    return texts('text', contentType, first, parts);
  }
  if (choice === 'pass') return PASSED;
  if (choice === 'text') return plainText(parts);
  return texts(kind, contentType, first, parts);
}

function texts(kind: Kind, contentType: string, first: Buffer, parts: BodyParts): Editor {
  const sign = firstSign(first);
  if (NO_TEXT.test(first.toString('latin1', 0, WIDE_BYTES))) throw behindGuard();
  switch (kind) {
    case 'json':
      if (sign === undefined || JSON_SIGNS.has(sign)) return new StrictJson(new JsonMask(parts));
      if (parts.pointers) throw unmasked('says that it is JSON, and is none');
      // What stands behind is JSON, in whose escapes a text has to be looked for.
      if (GUARDED.test(first.toString('latin1'))) throw behindGuard();
      return parts.detectors ? new WithoutEscapes(plainText(parts)) : PASSED;
    case 'markup':
      if (sign === 0x7b || sign === 0x5b) return new MaybeJson(parts, () => markup(parts));
      return markup(parts);
    case 'events':
      return new EventsMask(parts);
    case 'table':
      return new TableMask(parts, mediaType(contentType) === 'text/tab-separated-values' ? 0x09 : undefined);
    case 'form':
      return new FormMask(parts);
    case 'multipart':
      return new MultipartMask(contentType, parts, (type) => partEditor(type, parts));
    case 'xml':
      return new MarkupMask(parts, true);
    default:
      if (sign === LESS && kind !== 'text' && !parts.pointers) return new MarkupMask(parts, false);
      if (sign === 0x7b || sign === 0x5b || sign === 0x22) return new MaybeJson(parts, () => plainText(parts));
      return plainText(parts);
  }
}

function markup(parts: BodyParts): Editor {
  if (parts.pointers) throw unmasked('has no places that could be masked: it is HTML');
  return new MarkupMask(parts, false);
}

/** @throws Unmasked for a part that nobody can read */
function partEditor(contentType: string, parts: BodyParts): Editor {
  const why = refusedByHead(contentType, parts);
  if (why !== undefined) throw unmasked(`has a part that ${why}`);
  return new BodyMask(contentType, parts);
}

function plainText(parts: BodyParts): Editor {
  if (parts.pointers) throw unmasked('has no places that could be masked: it is a plain text');
  return parts.detectors ? textEditor(parts.detectors) : PASSED;
}

const behindGuard = (): Error => unmasked('is JSON behind a guard against scripts, which is not read here');
/** What no text begins with, whatever its type says. */
const NO_TEXT = /^\)\]\}/;
/** How services begin JSON that no page is to run: `)]}'` and `while(1);`. By its first four bytes. */
const GUARDED = /^\s*(?:\)\]|whil)/;
const LESS = 0x3c;
/** What a value of JSON may begin with. */
const JSON_SIGNS: ReadonlySet<number> = new Set(Buffer.from('{["-0123456789tfn\u001e'));

/** By the first bytes of it. */
export function looksLikeText(first: Buffer): boolean {
  const looked = first.subarray(0, LOOKED_BYTES);
  // The last character may be cut off.
  for (let cut = 0; cut < 4; cut++) {
    if (!isUtf8(looked.subarray(0, looked.length - cut))) continue;
    return !looked.some((byte) => byte < 0x20 && !isBlank(byte));
  }
  return false;
}
