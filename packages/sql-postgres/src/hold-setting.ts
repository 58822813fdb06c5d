/**
 * `SET sluice.hold = fail`: a program that cannot wait has its held statements refused at once, with the number of the
 * request; `wait` and RESET take it back. The target keeps the setting like any other with a dot in its name, so SHOW works.
 */
export type HoldSetting = 'fail' | 'wait' | 'invalid';

const SET = /^\s*set\s+(?:session\s+)?"?sluice"?\s*\.\s*"?hold"?\s*(?:=|\bto\b)\s*(.*?)\s*;?\s*$/is;
const RESET = /^\s*(?:reset\s+(?:"?sluice"?\s*\.\s*"?hold"?|all)|discard\s+all)\s*;?\s*$/is;

/** What a statement says about it: undefined when it is about something else. */
export function holdSetting(text: string): HoldSetting | undefined {
  if (text.length > LONGEST) return undefined;
  if (RESET.test(text)) return 'wait';
  const value = SET.exec(text)?.[1];
  if (value === undefined) return undefined;
  const word = value.replace(/^(['"])(.*)\1$/s, '$2').toLowerCase();
  if (word === 'default') return 'wait';
  return word === 'fail' || word === 'wait' ? word : 'invalid';
}

const LONGEST = 200;
