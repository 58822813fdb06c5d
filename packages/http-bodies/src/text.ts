/**
 * Texts: what detectors find in them, line by line, and short ones as a whole. Owns: that a mark stands where other formats have null. Does
 * not: texts with a structure of their own.
 */
import {
  type DetectorOptions,
  type Entity,
  type MaskOptions,
  type Mode,
  label,
  maskText,
  streamEditor,
} from '@sluice/masking';
import type { Editor } from './editor.js';
import { unmasked } from './fault.js';
import type { JsonParts } from './json.js';
import { type Around, type Look, ALONE, assigned } from './look.js';

/** Null has no place in a text: the mark says what was there. */
const inTexts = (modes: ReadonlyMap<Entity, Mode>): ReadonlyMap<Entity, Mode> =>
  new Map([...modes].map(([entity, mode]) => [entity, mode.type === 'null' ? { type: 'redact' } : mode]));

/** A text of any length. */
export const textEditor = ({ modes, key }: DetectorOptions): Editor => streamEditor({ modes: inTexts(modes), key });

const BACKSLASH = 0x5c;

/** A text that claims to be JSON: what its escapes say no detector sees that reads it as it comes. */
export class WithoutEscapes implements Editor {
  readonly #inner: Editor;
  /** What came ends with a backslash. */
  #isOpen = false;

  constructor(inner: Editor) {
    this.#inner = inner;
  }

  get held(): number {
    return this.#inner.held;
  }

  /** @throws Unmasked */
  push(bytes: Buffer): Buffer {
    const begins = this.#isOpen && (bytes[0] === 0x75 || bytes[0] === 0x78);
    if (begins || bytes.includes('\\u') || bytes.includes('\\x'))
      throw unmasked('is no JSON, though it says so, and has escapes, which are not read there');
    if (bytes.length > 0) this.#isOpen = bytes.at(-1) === BACKSLASH;
    return this.#inner.push(bytes);
  }

  end(): Buffer {
    return this.#inner.end();
  }

  release(): Buffer {
    return this.#inner.release();
  }
}

/** A short text that is one value; undefined: it stays. */
export function shortText(look: Look, bytes: Buffer, around: Around = ALONE): Buffer | undefined {
  const change = look.at(bytes, 0, bytes.length, around, true);
  return change && (look.changed(bytes, 0, bytes.length, change) ?? Buffer.from(label('')));
}

/** A text that rules name, as a whole. */
export const namedText = (text: string, mask: MaskOptions): string => maskText(text, mask) ?? label(mask.entity);

/** The text of a member of JSON, as masks leave it. `name`: of the member. */
export function leafMask({ look }: JsonParts, name: string, text: string): string {
  const around = { ...ALONE, secret: assigned(name) };
  return shortText(look, Buffer.from(text), around)?.toString('utf8') ?? text;
}
