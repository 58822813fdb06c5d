/** Options of a program in the notation of getopt. Pure. */
import type { WordValue } from './words.js';

/**
 * The options of a program that make no more of it than a reader, in the notation of getopt(3): `abc` without a value, `n:`
 * with one, `n::` with one in the same word. Long ones as `--lines=` with a value, `--all` without. What is not listed is not known:
 * also the abbreviations that getopt_long takes.
 */
export interface OptionTable {
  readonly short: ReadonlyMap<string, 'none' | 'required' | 'optional'>;
  readonly long: ReadonlyMap<string, 'none' | 'required'>;
}

export function optionsOf(notation: string): OptionTable {
  const short = new Map<string, 'none' | 'required' | 'optional'>();
  const long = new Map<string, 'none' | 'required'>();
  for (const item of notation.split(' ')) {
    if (item.startsWith('--')) long.set(item.replace(/=$/, ''), item.endsWith('=') ? 'required' : 'none');
    else
      for (const [, letter = '', colons] of item.matchAll(/(.)(:{0,2})/g))
        short.set(letter, colons === '' ? 'none' : colons === ':' ? 'required' : 'optional');
  }
  return { short, long };
}

export interface ParsedOptions {
  readonly options: readonly { readonly name: string; readonly value?: WordValue }[];
  readonly operands: readonly WordValue[];
}

/** Something that may be an option when it is expanded. */
export const maybeOption = ({ text, known, glob }: WordValue): boolean =>
  text.startsWith('-') || (glob && /^[*?[]/.test(text)) || (!known && text === '');

/** Arguments by these options, or a sentence about what is not known of them. */
export function parseOptions(
  values: readonly WordValue[],
  { short, long }: OptionTable,
  stopAtOperand = false,
): ParsedOptions | string {
  const options: { name: string; value?: WordValue }[] = [];
  const operands: WordValue[] = [];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as WordValue;
    const next = values[at + 1];
    if (stopAtOperand && operands.length > 0) {
      operands.push(value);
      continue;
    }
    if (value.known && value.text === '--') {
      operands.push(...values.slice(at + 1));
      break;
    }
    if (!value.text.startsWith('-') || (value.known && value.text === '-')) {
      if (maybeOption(value)) return UNCERTAIN;
      operands.push(value);
      continue;
    }
    const equals = value.text.indexOf('=');
    if (value.text.startsWith('--')) {
      const name = equals < 0 ? value.text : value.text.slice(0, equals);
      const kind = long.get(name);
      if (kind === undefined || (!value.known && equals < 0)) return notKnown(name);
      if (equals >= 0) options.push({ name, value: { ...value, text: value.text.slice(equals + 1) } });
      else if (kind === 'none') options.push({ name });
      else if (next === undefined || next.many) return UNCERTAIN;
      else {
        options.push({ name, value: next });
        at++;
      }
      continue;
    }
    let letter = 1;
    for (; letter < value.text.length; letter++) {
      const name = value.text[letter] as string;
      const kind = short.get(name);
      if (kind === undefined) return notKnown(`-${name}`);
      if (kind === 'none') {
        options.push({ name: `-${name}` });
        continue;
      }
      const rest = { ...value, text: value.text.slice(letter + 1) };
      if (rest.text !== '' || !value.known || kind === 'optional') options.push({ name: `-${name}`, value: rest });
      else if (next === undefined || next.many) return UNCERTAIN;
      else {
        options.push({ name: `-${name}`, value: next });
        at++;
      }
      break;
    }
    if (letter === value.text.length && !value.known) return UNCERTAIN;
  }
  return { options, operands };
}

const UNCERTAIN = 'has arguments that are only known when it runs';
const notKnown = (name: string): string =>
  `has the option ${name.slice(0, 40)}, which is not one of those known to read only`;
