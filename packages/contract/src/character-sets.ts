/**
 * Character sets of one byte for each character, as MySQL and MariaDB have them: for what reads statements and for masks of values.
 * Owns: which those are, by name and by collation, and their tables: the decoder's (WHATWG Encoding) with what the server has otherwise.
 * Does not own: sets of several bytes, and UTF-8. Pure.
 */
import type { CellEncoding } from './cell-texts.js';

interface CharacterSet {
  /** Of the decoder. */
  readonly label: string;
  /** Numbers in information_schema.COLLATIONS. */
  readonly collations: readonly number[];
  /** Characters that the server has elsewhere, or otherwise, from a byte on. */
  readonly differing?: Readonly<Record<number, string>>;
}

/** ISO 8859-9 has controls where Windows-1254, which is what the decoder makes of it, has letters. */
const CONTROLS = String.fromCharCode(...Array.from({ length: 32 }, (_, at) => 0x80 + at));

const SETS: Readonly<Record<string, CharacterSet>> = {
  latin1: { label: 'windows-1252', collations: [5, 8, 15, 31, 47, 48, 49, 94] },
  latin2: { label: 'iso-8859-2', collations: [2, 9, 21, 27, 77] },
  latin5: { label: 'windows-1254', collations: [30, 78], differing: { 0x80: CONTROLS } },
  latin7: { label: 'iso-8859-13', collations: [20, 41, 42, 79] },
  greek: { label: 'iso-8859-7', collations: [25, 70], differing: { 0xa1: '\u02bd\u02bc' } },
  hebrew: { label: 'iso-8859-8', collations: [16, 71], differing: { 0xaf: '\u203e' } },
  cp1250: { label: 'windows-1250', collations: [26, 34, 44, 66, 99] },
  cp1251: { label: 'windows-1251', collations: [14, 23, 50, 51, 52] },
  cp1256: { label: 'windows-1256', collations: [57, 67] },
  cp1257: { label: 'windows-1257', collations: [29, 58, 59] },
  koi8r: { label: 'koi8-r', collations: [7, 74] },
  koi8u: { label: 'koi8-u', collations: [22, 75], differing: { 0x95: '\u2022', 0xae: '\u255d', 0xbe: '\u256c' } },
  cp866: { label: 'ibm866', collations: [36, 68], differing: { 0xfc: '\u207f\u00b2' } },
};

/** MariaDB numbers the same collations without padding from here on. */
const NOPAD = 1024;

/** The number of the collation of the same character set with padding. */
export const padded = (collation: number): number =>
  collation >= NOPAD && collation < 2 * NOPAD ? collation - NOPAD : collation;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(SETS).flatMap(([name, { collations }]) => collations.map((one): [number, string] => [one, name])),
);

const made = new Map<string, CellEncoding>();

/** @param name of a character set, in lower case; undefined for one that is not read here */
export function singleByteSet(name: string): CellEncoding | undefined {
  const set = Object.hasOwn(SETS, name) ? SETS[name] : undefined;
  if (!set) return undefined;
  let encoding = made.get(name);
  if (!encoding) made.set(name, (encoding = encodingOf(set)));
  return encoding;
}

/** @param collation as a definition packet has it */
export function singleByteCollation(collation: number): CellEncoding | undefined {
  const name = NAMES.get(padded(collation));
  return name === undefined ? undefined : singleByteSet(name);
}

const ASCII = 0x80;
const QUESTION_MARK = 0x3f;
const REPLACEMENT = '\ufffd';

function encodingOf({ label, differing = {} }: CharacterSet): CellEncoding {
  const upper = Array.from(new TextDecoder(label).decode(Uint8Array.from({ length: ASCII }, (_, at) => at + ASCII)));
  for (const [from, characters] of Object.entries(differing))
    for (const [at, one] of Array.from(characters).entries()) upper[Number(from) - ASCII + at] = one;
  const bytes = new Map(upper.map((one, at) => [one, at + ASCII]));
  bytes.delete(REPLACEMENT);
  const character = (one: string): string => upper[one.charCodeAt(0) - ASCII] as string;
  return {
    decode: (text) => text.toString('latin1').replaceAll(/[\u0080-\u00ff]/g, character),
    encode: (text) =>
      Buffer.from(Array.from(text, (one) => (one < '\u0080' ? one.charCodeAt(0) : (bytes.get(one) ?? QUESTION_MARK)))),
  };
}
