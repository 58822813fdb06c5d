/**
 * The shape of a statement: its text without literals. Owns: which texts have one. Does not: remember anything (analyze.ts).
 * Pure.
 */

/**
 * The shape of a statement: its text with every literal taken out. Programs that put values into their statements send thousands of
 * texts of one shape, and the tree of all of them is the same but for its constants.
 *
 * A shape is only given where taking literals out needs no knowledge of where a token ends: without double quotes, dollar signs,
 * backslashes, comments, variables in quotes and what is not ASCII. Whether the facts depend on the values of constants is for the
 * analysis to say.
 */
export function templateOf(text: string): string | undefined {
  const isPlain = PLAIN.test(text) && !COMMENT.test(text) && !QUOTED_VARIABLE.test(text);
  return isPlain ? text.replace(LITERAL_OR_NAME, emptied) : undefined;
}

function emptied(found: string): string {
  if (found.startsWith('`')) return found;
  return found.startsWith("'") ? "''" : '0';
}

/** Printable ASCII and white space without `"`, `#`, `$`, `\`. */
const PLAIN = /^[\t\n\r !%-[\]-~]*$/;
const COMMENT = /--|\/\*/;
/** `@'a'` is the variable `a`: what looks like a text is a name. */
const QUOTED_VARIABLE = /@\s*'/;
/** A name in quotes, which may have any sign in it; a whole number that is no part of something else; a text. */
const LITERAL_OR_NAME = /`[^`]*`|(?<![\w.@])\d+(?![\w.])|'[^']*'/g;

/**
 * The same for a plain SELECT whose literals all stand in its WHERE or LIMIT; undefined for any other text, and where there are none.
 * There a literal names no column and is no place in the select list, so that the lineage of all texts of the shape is the same.
 */
export function filterShapeOf(text: string): string | undefined {
  const shape = templateOf(text);
  if (shape === undefined || shape === text) return undefined;
  const bare = text.replace(LITERAL_OR_NAME, (found) => (found.startsWith('`') ? 'n' : '?'));
  const where = WHERE.exec(bare);
  if (!where || bare.slice(0, where.index).includes('?')) return undefined;
  if (!SELECT.test(bare) || ANOTHER_QUERY.test(bare.slice(SELECT_LENGTH))) return undefined;
  const tail = bare.slice(where.index).replace(LIMIT, '');
  const end = BEHIND_WHERE.exec(tail);
  return end && tail.includes('?', end.index) ? undefined : shape;
}

const SELECT = /^select\b/i;
const SELECT_LENGTH = 'select'.length;
const WHERE = /\bwhere\b/i;
const ANOTHER_QUERY = /\b(?:select|with|table|values?)\b/i;
const LIMIT = /\blimit\s{1,8}\?(?:\s{0,8},\s{0,8}\?|\s{1,8}offset\s{1,8}\?)?\s{0,8};?\s{0,8}$/i;
const BEHIND_WHERE =
  /\b(?:group|having|order|window|qualify|union|except|minus|intersect|limit|into|procedure|for|lock)\b/i;
