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
import type { JsonParts } from './json.js';
import { type Around, type Look, ALONE, assigned } from './look.js';

/** Null has no place in a text: the mark says what was there. */
const inTexts = (modes: ReadonlyMap<Entity, Mode>): ReadonlyMap<Entity, Mode> =>
  new Map([...modes].map(([entity, mode]) => [entity, mode.type === 'null' ? { type: 'redact' } : mode]));

/** A text of any length. */
export const textEditor = ({ modes, key }: DetectorOptions): Editor => streamEditor({ modes: inTexts(modes), key });

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
