/** Mistakes in sentences. Owns: what is said of what zod found. Does not: where it stands (document.ts). */
import type { z } from 'zod';
import { newNameOf } from './renamed.js';

export type Path = readonly (string | number)[];

/** A mistake before its line is looked up. */
export interface Mistake {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
  /** What to point at; a key that is not known is wrong whatever its value. */
  readonly at?: 'key' | 'value';
  /** It takes rights away and gives none: worth a warning, and no reason to keep what was in force before. */
  readonly admitsNobody?: true;
}

type Issue = z.core.$ZodIssue;

/** The key that says which of several shapes an object has. */
const SHAPE = 'protocol';

/** It is another shape that was meant. */
const isAboutShape = ({ path, code }: Issue): boolean =>
  path.length === 1 && path[0] === SHAPE && (code === 'invalid_union' || code === 'invalid_type');

/** What zod found, in sentences. `keysAt` names the keys that an object may have. */
export function mistakesOf(issue: Issue, keysAt: (path: Path) => readonly string[], above: Path = []): Mistake[] {
  const path = [...above, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key], key, keysAt(path)));
    case 'invalid_union': {
      // The branch that was meant is the one that likes the value's type and only minds something inside.
      const meant = issue.errors.find((issues) =>
        issues.every((one) => (one.path.length > 0 || one.code === 'unrecognized_keys') && !isAboutShape(one)),
      );
      if (meant) return meant.flatMap((one) => mistakesOf(one, keysAt, path));
      const shapeless = issue.errors.length > 0 && issue.errors.every((issues) => issues.some(isAboutShape));
      return [{ path: shapeless ? [...path, SHAPE] : path, message: issue.message }];
    }
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ path, message, at: 'key' }));
    case 'invalid_type':
      return [
        issue.message.endsWith('received undefined')
          ? { path, message: `"${path.at(-1)}" is missing` }
          : { path, message: issue.message.replace('Invalid input: ', '') },
      ];
    case 'invalid_value':
      return [
        {
          path,
          message: `expected ${issue.values
            .map(String)
            .join(', ')
            .replace(/, ([^,]*)$/, ' or $1')}`,
        },
      ];
    case 'custom':
      return [{ path, message: issue.message, hint: issue.params?.['hint'] as string | undefined }];
    default:
      return [{ path, message: issue.message }];
  }
}

/** Where a setting stands that somebody might want to stand here. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  [
    'break_glass',
    'It stands in "hold" of a rule and "approval" of a connection: nobody passes a refusal, a mask, or an answer that others read first.',
  ],
]);

function unknownKey(path: Path, key: string, known: readonly string[]): Mistake {
  const now = newNameOf(path);
  if (now !== undefined) return { path, message: `"${key}" is called "${now}" now`, at: 'key' };
  const hint = ELSEWHERE.get(key) ?? didYouMean(key, known);
  return { path, message: `"${key}" is not a setting here`, hint, at: 'key' };
}

/** The candidate that a word was probably meant to be, as a question. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter((one) => one.distance <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best && `Did you mean "${best.candidate}"?`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
