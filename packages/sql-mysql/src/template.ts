/**
 * The shape of a statement: its text without literals. Owns: which texts have one. Does not: remember anything (analyze.ts).
 * Pure.
 */

/**
 * The shape of a statement: its text with every literal taken out. Programs that put values into their statements send thousands of
 * texts of one shape, and the tree of all of them is the same but for its constants.
 *
 * A shape is only given where taking literals out needs no knowledge of where a token ends: without double quotes, dollar signs,
 * backslashes, comments and what is not ASCII. Whether the facts depend on the values of constants is for the analysis to say.
 */
export function templateOf(text: string): string | undefined {
  return PLAIN.test(text) && !COMMENT.test(text) ? text.replace(LITERAL_OR_NAME, emptied) : undefined;
}

function emptied(found: string): string {
  if (found.startsWith('`')) return found;
  return found.startsWith("'") ? "''" : '0';
}

/** Printable ASCII and white space without `"`, `#`, `$`, `\`. */
const PLAIN = /^[\t\n\r !%-[\]-~]*$/;
const COMMENT = /--|\/\*/;
/** A name in quotes, which may have any sign in it; a whole number that is no part of something else; a text. */
const LITERAL_OR_NAME = /`[^`]*`|(?<![\w.@])\d+(?![\w.])|'[^']*'/g;
