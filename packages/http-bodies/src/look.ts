/**
 * One text of a body: a string of JSON, a field of a form, a cell. Owns: what detectors find in it, also behind percent signs, in base64
 * and in JSON that is written as a text, and what is put in place of that. Does not: know what the text stands in.
 */
import { isUtf8 } from 'node:buffer';
import { type DetectorOptions, type Entity, type Finding, type MaskOptions, type Mode } from '@sluice/masking';
import {
  detect,
  disclosesFound,
  isText,
  keyed,
  label,
  magnitude,
  maskText,
  namesSecret,
  onlyCounts,
  partial,
} from '@sluice/masking';
import { decodings, isBase64 } from './decodings.js';
import type { Place } from './pointers.js';

/** What is to become of a text. */
export type Change =
  /** These pieces of it are replaced. */
  | { readonly type: 'parts'; readonly findings: readonly Finding[] }
  /** All of it is, or it becomes null where the format has that. */
  | { readonly type: 'whole'; readonly text: string | null }
  /** It is JSON itself, which says this now. */
  | { readonly type: 'nested'; readonly text: Buffer };

/** Looks into a text that is JSON: what it says then; 'same': nothing is masked in it; undefined: it is none. */
export type LookInside = (text: Buffer, place: Place | undefined, depth: number) => Buffer | 'same' | undefined;

/** Texts within texts within texts. */
const MAX_NESTED = 3;
/** In a longer text is looked one deep: each time costs as much as the first. Bytes. */
const MAX_DEEP_BYTES = 1024 * 1024;
/** Fewer bytes of base64 hold nothing that is looked for: `a@b.co` has eight. */
const MIN_BASE64_BYTES = 8;
const NO_FINDINGS: readonly Finding[] = [];

export interface Around {
  /** A name such as `password` that the text is given to, as `assigned` writes it; undefined: it is given to no such name. */
  readonly secret: Buffer | undefined;
  readonly place: Place | undefined;
  /** How many texts it is written in. */
  readonly depth: number;
}

export const ALONE: Around = { secret: undefined, place: undefined, depth: 0 };

/** How a name stands before its value, where that may be a secret for its sake. */
export const assigned = (name: string): Buffer | undefined =>
  namesSecret(name) ? Buffer.from(`${name}="`) : undefined;

export class Look {
  readonly detectors: DetectorOptions | undefined;
  /** So many times it has told budgets of a value: then the same text has to be looked at again when it comes again. */
  told = 0;
  readonly #inside: LookInside;
  /** All that is found stays, and is counted. */
  readonly #counts: boolean;

  constructor(detectors: DetectorOptions | undefined, inside: LookInside) {
    this.detectors = detectors;
    this.#inside = inside;
    this.#counts = detectors !== undefined && onlyCounts(detectors);
  }

  /** Undefined: it stays. `mayHide`: it has a percent sign, or the letters of base64 only, or begins as JSON does. */
  at(bytes: Buffer, start: number, end: number, around: Around, mayHide: boolean): Change | undefined {
    if (this.#counts) return this.#count(bytes, start, end, around, mayHide);
    if (mayHide && around.depth < MAX_NESTED && beginsJson(bytes, start, end)) {
      const inside = this.#inside(bytes.subarray(start, end), around.place, around.depth + 1);
      if (inside !== undefined) return inside === 'same' ? undefined : { type: 'nested', text: inside };
    }
    const findings = this.#findings(bytes, start, end, around.secret);
    if (!mayHide) return this.#parts(findings);
    const left = findings.length === 0 ? bytes.subarray(start, end) : this.#replaced(bytes, start, end, findings);
    const found = this.#hidden(left, around);
    if (!found) return this.#parts(findings);
    const text = this.#inPlaceOf(found.entity, found.value);
    if (text === null || !isBase64(left)) return { type: 'whole', text };
    return { type: 'whole', text: Buffer.from(text).toString(left.includes('-') ? 'base64url' : 'base64') };
  }

  /** Tells budgets of all that is found, once the text is decoded as well. */
  #count(bytes: Buffer, start: number, end: number, around: Around, mayHide: boolean): undefined {
    if (mayHide && around.depth < MAX_NESTED && beginsJson(bytes, start, end)) {
      if (this.#inside(bytes.subarray(start, end), around.place, around.depth + 1) !== undefined) return;
    }
    this.#tell(bytes, this.#findings(bytes, start, end, around.secret));
    if (mayHide) this.#countHidden(bytes.subarray(start, end), around);
  }

  #countHidden(text: Buffer, { place, depth }: Around): void {
    if (depth >= MAX_NESTED) return;
    for (const decoded of decodings(text, depth === 0)) {
      if (decoded.length < MIN_BASE64_BYTES || !isUtf8(decoded) || !isText(decoded)) continue;
      const isJson = beginsJson(decoded, 0, decoded.length) && this.#inside(decoded, place, depth + 1) !== undefined;
      if (isJson) continue;
      this.#tell(decoded, this.#findings(decoded, 0, decoded.length, undefined));
      if (text.length <= MAX_DEEP_BYTES) this.#countHidden(decoded, { secret: undefined, place, depth: depth + 1 });
    }
  }

  #tell(bytes: Buffer, findings: readonly Finding[]): void {
    const { detectors } = this;
    if (!detectors) return;
    for (const finding of findings) if (disclosesFound(bytes, finding, detectors)) this.told++;
  }

  /** The text with its change; null: it becomes that. */
  changed(bytes: Buffer, start: number, end: number, change: Change): Buffer | null {
    if (change.type === 'nested') return change.text;
    if (change.type === 'parts') return this.#replaced(bytes, start, end, change.findings);
    return change.text === null ? null : Buffer.from(change.text);
  }

  /** What stands in place of a piece. Null is for texts as a whole. */
  piece(bytes: Buffer, { entity, start, end }: Finding): string {
    return this.#inPlaceOf(entity, bytes.subarray(start, end)) ?? label(entity);
  }

  #parts(findings: readonly Finding[]): Change | undefined {
    if (findings.length === 0) return undefined;
    const gone = findings.some(({ entity }) => this.#mode(entity).type === 'null');
    return gone ? { type: 'whole', text: null } : { type: 'parts', findings };
  }

  #findings(bytes: Buffer, start: number, end: number, secret: Buffer | undefined): readonly Finding[] {
    if (!this.detectors) return NO_FINDINGS;
    const { modes } = this.detectors;
    if (secret && modes.has('SECRET') && isSecret(secret, bytes.subarray(start, end)))
      return [{ entity: 'SECRET', start, end }];
    return detect(bytes, start, end, modes);
  }

  /** The first of what is found once the text is decoded. */
  #hidden(
    text: Buffer,
    { place, depth }: Around,
  ): { readonly entity: Entity | ''; readonly value: Buffer } | undefined {
    if (depth >= MAX_NESTED) return undefined;
    const isLong = text.length > MAX_DEEP_BYTES;
    for (const decoded of decodings(text, depth === 0)) {
      if (decoded.length < MIN_BASE64_BYTES || !isUtf8(decoded) || !isText(decoded)) continue;
      if (beginsJson(decoded, 0, decoded.length)) {
        const inside = this.#inside(decoded, place, depth + 1);
        if (inside === 'same') continue;
        if (inside) return { entity: '', value: decoded };
      }
      const [first] = this.#findings(decoded, 0, decoded.length, undefined);
      if (first) return { entity: first.entity, value: decoded.subarray(first.start, first.end) };
      const deeper = isLong ? undefined : this.#hidden(decoded, { secret: undefined, place, depth: depth + 1 });
      if (deeper) return deeper;
    }
    return undefined;
  }

  #replaced(bytes: Buffer, start: number, end: number, findings: readonly Finding[]): Buffer {
    const parts: Buffer[] = [];
    let at = start;
    for (const finding of findings) {
      parts.push(bytes.subarray(at, finding.start), Buffer.from(this.piece(bytes, finding)));
      at = finding.end;
    }
    parts.push(bytes.subarray(at, end));
    return Buffer.concat(parts);
  }

  #mode(entity: Entity | ''): Mode {
    return (entity !== '' && this.detectors?.modes.get(entity)) || { type: 'redact' };
  }

  #inPlaceOf(entity: Entity | '', value: Buffer): string | null {
    const key = this.detectors?.key ?? Buffer.alloc(0);
    return maskText(value.toString('utf8'), { mode: this.#mode(entity), key, entity });
  }
}

const QUOTE = Buffer.from('"');
/** What would end the value before its end. */
const ENDING: ReadonlySet<number> = new Set([0x22, 0x5c, 0x0a]);

/** Whether a value that stands behind such a name is a secret. */
function isSecret(name: Buffer, value: Buffer): boolean {
  const plain = value.map((byte) => (ENDING.has(byte) ? 0x2e : byte));
  const written = Buffer.concat([name, plain, QUOTE]);
  return detect(written, 0, written.length, SECRET).some(({ start }) => start >= name.length);
}

const SECRET: ReadonlySet<Entity> = new Set(['SECRET']);

/** Behind blanks there is what an object or a list begins with. */
function beginsJson(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (
    at < end &&
    ((bytes[at] as number) === 0x20 || ((bytes[at] as number) >= 0x09 && (bytes[at] as number) <= 0x0d))
  )
    at++;
  return at < end && (bytes[at] === 0x7b || bytes[at] === 0x5b);
}

/**
 * What of a number, `true` or `false` that rules name is left, as it is written. A number has no room for a mark, and no 0 is taken for
 * one: it is null where nothing of it may be told.
 */
export function maskedPlain(written: string, mask: MaskOptions): string {
  const { mode } = mask;
  if (written === 'null' || !/^[-\d]/.test(written)) return 'null';
  if (mode.type === 'hash') return String(1 + keyed(mask, written).readUIntBE(0, 6));
  if (mode.type === 'generalise' && /^-?\d{1,40}(?:\.\d{1,40})?$/.test(written)) return magnitude(written);
  if (mode.type === 'partial' && /^\d{8,40}$/.test(written))
    return String(Number(partial(written, mode.keepLast).replaceAll('*', '') || 0));
  return 'null';
}
