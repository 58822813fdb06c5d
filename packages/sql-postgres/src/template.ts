/**
 * The shape of a statement: its text without literals. Owns: which texts have one. Does not: remember anything (analyze.ts).
 * Pure.
 */

/**
 * The shape of a statement: its text with every literal taken out. Programs that put values into their statements send
 * thousands of texts of one shape, and the parse tree of all of them is the same but for its constants.
 *
 * A shape is only given where taking literals out needs no knowledge of where a token ends: not with quoted names, dollar
 * quotes, backslashes, comments, or anything that is not ASCII. Two texts of one shape then have the same tokens, each of
 * the same kind. Whether the facts depend on the values of constants is for the analysis to say.
 */
export function templateOf(text: string): string | undefined {
  return PLAIN.test(text) && !COMMENT.test(text) && !ODD_CONSTANT.test(text)
    ? text.replace(LITERAL, (literal) => (literal.startsWith("'") ? "''" : '0'))
    : undefined;
}

/** Printable ASCII and white space without `"`, `$`, `\` and the back quote. */
const PLAIN = /^[\t\n\r !#%-[\]-_a-~]*$/;
const COMMENT = /--|\/\*/;
/** Constants of which the text does not show the value: with Unicode escapes, and in parts on several lines (4.1.2.1, 4.1.2.3). */
const ODD_CONSTANT = /u&'|'[ \t]*[\r\n]\s*'/i;
/** A whole number that is no part of a name or of another kind of number, or a quoted text. */
const LITERAL = /(?<![\w.])\d+(?![\w.])|'[^']*'/g;
