/**
 * Bodies of several parts (RFC 2046 section 5.1, RFC 7578), each by its own type. Owns: where a part begins and ends. Does not: what is in
 * one; parts within parts are parts of a body of their own.
 */
import { type Editor, NO_BYTES } from './editor.js';
import { unmasked } from './fault.js';
import { fieldValue, nameOfField, placeOfField } from './form.js';
import { isWide, unreadCharset } from './media.js';
import type { BodyParts } from './parts.js';
import { shortText } from './text.js';

const MAX_HEAD_BYTES = 8 * 1024;
const MAX_PARTS = 10_000;
/** A field of a form is one value. */
const MAX_FIELD_BYTES = 4 * 1024 * 1024;
const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
/** How the content of a part is written, where that is none of the mail's ways of writing bytes as letters. */
const AS_IT_IS = /^(?:7bit|8bit|binary)$/i;

/** How a part of this type is edited. */
export type EditorOf = (contentType: string) => Editor;

type State = 'preamble' | 'delimiter' | 'head' | 'part' | 'epilogue';

export class MultipartMask implements Editor {
  readonly held = 0;
  readonly #parts: BodyParts;
  readonly #editorOf: EditorOf;
  readonly #delimiter: Buffer;
  #state: State = 'preamble';
  #kept: Buffer;
  #part: Editor | undefined;
  #count = 0;

  /** @throws Unmasked for one without a boundary */
  constructor(contentType: string, parts: BodyParts, editorOf: EditorOf) {
    const boundary = /;\s*boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
    const found = boundary?.[1] ?? boundary?.[2];
    if (found === undefined) throw unmasked('has parts, and does not say what parts them');
    // Some put it together of pieces (RFC 2231), and it may stand within the value of something else.
    if ((contentType.match(/;\s*boundary[\s*\d]*=/gi)?.length ?? 0) > 1)
      throw unmasked('has parts, and says in two ways what parts them');
    this.#parts = parts;
    this.#editorOf = editorOf;
    this.#delimiter = Buffer.from(`\r\n--${found}`, 'latin1');
    // The first delimiter may stand at the very beginning: as if a line had ended there.
    this.#kept = CRLF;
  }

  push(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    this.#kept = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    while (this.#step(out));
    this.#kept = Buffer.from(this.#kept);
    return Buffer.concat(out);
  }

  end(): Buffer {
    if (this.#state !== 'epilogue') throw unmasked('has parts, of which the last has no end');
    return CRLF;
  }

  release(): Buffer {
    return NO_BYTES;
  }

  /** @returns whether there is more to do with what is here */
  #step(out: Buffer[]): boolean {
    switch (this.#state) {
      case 'preamble':
        return this.#toDelimiter(out, () => undefined);
      case 'delimiter':
        return this.#afterDelimiter(out);
      case 'head':
        return this.#head(out);
      case 'part':
        return this.#toDelimiter(out, (bytes) => void out.push(Buffer.from((this.#part as Editor).push(bytes))));
      default:
        // What is behind the last part nobody reads.
        if (this.#kept.length > 0 && this.#kept.includes(this.#delimiter))
          throw unmasked('has a part behind its last one');
        this.#kept = this.#kept.subarray(Math.max(0, this.#kept.length - this.#delimiter.length));
        return false;
    }
  }

  /** What is before a delimiter goes by `give`; the first of all begins without its line end. */
  #toDelimiter(out: Buffer[], give: (bytes: Buffer) => void): boolean {
    const at = this.#kept.indexOf(this.#delimiter);
    if (at < 0) {
      const sure = this.#kept.length - this.#delimiter.length + 1;
      if (sure <= 0) return false;
      give(this.#kept.subarray(0, sure));
      this.#kept = this.#kept.subarray(sure);
      return false;
    }
    give(this.#kept.subarray(0, at));
    if (this.#state === 'part') out.push(Buffer.from((this.#part as Editor).end()));
    out.push(this.#count === 0 ? this.#delimiter.subarray(2) : this.#delimiter);
    this.#kept = this.#kept.subarray(at + this.#delimiter.length);
    this.#state = 'delimiter';
    return true;
  }

  #afterDelimiter(out: Buffer[]): boolean {
    if (this.#kept.length < 2) return false;
    const sign = this.#kept.toString('latin1', 0, 2);
    if (sign !== '--' && sign !== '\r\n') throw unmasked('has a part that does not begin with a line');
    if (++this.#count > MAX_PARTS) throw unmasked(`has more than ${MAX_PARTS} parts`);
    if (sign === '--') out.push(this.#kept.subarray(0, 2));
    // The line end stays: a head without lines ends with the next one.
    this.#kept = sign === '--' ? this.#kept.subarray(2) : this.#kept;
    this.#state = sign === '--' ? 'epilogue' : 'head';
    return true;
  }

  #head(out: Buffer[]): boolean {
    const end = this.#kept.indexOf(HEAD_END);
    if (end > MAX_HEAD_BYTES || (end < 0 && this.#kept.length > MAX_HEAD_BYTES))
      throw unmasked('has a part without a head');
    if (end < 0) return false;
    const head = this.#kept.toString('latin1', 0, end);
    this.#kept = this.#kept.subarray(end + HEAD_END.length);
    out.push(Buffer.from(this.#cleaned(head), 'latin1'), HEAD_END);
    this.#part = this.#editorOfPart(head);
    this.#state = 'part';
    return true;
  }

  #cleaned(head: string): string {
    return head
      .split('\r\n')
      .map((line) => {
        const made = shortText(this.#parts.look, Buffer.from(line, 'latin1'));
        return made ? made.toString('latin1') : line;
      })
      .join('\r\n');
  }

  #editorOfPart(head: string): Editor {
    if (/\r\n[ \t]/.test(head)) throw unmasked('has a part with a folded header');
    // Some take LF alone for the end of a line (Go, Werkzeug).
    if (/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/.test(head))
      throw unmasked('has a part with control characters in its head');
    const encoding = fieldOf(head, 'content-transfer-encoding');
    if ((encoding !== undefined && !AS_IT_IS.test(encoding)) || fieldOf(head, 'content-encoding') !== undefined)
      throw unmasked('has a part in an encoding that is not read here');
    const type = fieldOf(head, 'content-type');
    const disposition = fieldOf(head, 'content-disposition') ?? '';
    const { pointers } = this.#parts;
    const { name: written, isUpload, isClear } = dispositionOf(disposition);
    if (pointers && !isClear) throw unmasked('has a part whose name can be read in two ways');
    if (written === undefined) return this.#editorOf(type ?? 'text/plain');
    const name = nameOfField(this.#parts, Buffer.from(written, 'latin1'));
    // What rules name is masked whatever it says of itself.
    const isField = !isUpload && (type === undefined || /^text\/plain\b/i.test(type));
    const isNamed = pointers !== undefined && placeOfField(pointers, name).mask !== undefined;
    if (!isField && !isNamed) return this.#editorOf(type ?? 'text/plain');
    const charset = unreadCharset(type ?? '');
    if (charset !== undefined) throw unmasked(`has a part in a charset that is not read here (${charset})`);
    return new Field(this.#parts, name);
  }
}

/** @throws Unmasked where it is there twice: readers take one or the other */
function fieldOf(head: string, name: string): string | undefined {
  const isNamed = new RegExp(`^${name}\\s*:`, 'i');
  const [line, another] = head.split('\r\n').filter((one) => isNamed.test(one));
  if (another !== undefined) throw unmasked('has a part with the same header twice');
  return line?.replace(isNamed, '').trim();
}

const PARAMETER = /;\s*([^\s=;"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*)?/y;

/** What `Content-Disposition` says (RFC 7578 section 4.2). `isClear`: all readers take the same name from it. */
function dispositionOf(field: string): { name: string | undefined; isUpload: boolean; isClear: boolean } {
  let name: string | undefined;
  let isUpload = false;
  let isClear = true;
  PARAMETER.lastIndex = Math.max(0, field.indexOf(';'));
  for (let end = PARAMETER.lastIndex; end < field.length; ) {
    const [whole = '', parameter = '', quoted, plain = ''] = PARAMETER.exec(field) ?? [];
    if (whole === '') return { name, isUpload, isClear: !field.includes(';') };
    end = PARAMETER.lastIndex;
    const lower = parameter.toLowerCase();
    if (lower.startsWith('filename')) isUpload = true;
    if (lower.startsWith('name*') || quoted?.includes('\\"') === true) isClear = false;
    if (lower !== 'name') continue;
    isClear &&= name === undefined;
    name ??= quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
  }
  return { name, isUpload, isClear };
}

/** A value of a form, looked at as a whole. */
class Field implements Editor {
  readonly held = 0;
  readonly #parts: BodyParts;
  readonly #name: string;
  readonly #kept: Buffer[] = [];
  #bytes = 0;

  constructor(parts: BodyParts, name: string) {
    this.#parts = parts;
    this.#name = name;
  }

  push(bytes: Buffer): Buffer {
    this.#kept.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_FIELD_BYTES) throw unmasked(`has a field of more than ${MAX_FIELD_BYTES} bytes`);
    return NO_BYTES;
  }

  end(): Buffer {
    const said = Buffer.concat(this.#kept);
    if (isWide(said)) throw unmasked('has a part in a charset that is not read here (UTF-16 or UTF-32)');
    return fieldValue(this.#parts, this.#name, said) ?? said;
  }

  release(): Buffer {
    return NO_BYTES;
  }
}
