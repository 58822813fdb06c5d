/**
 * Control characters (with line breaks and tabs), characters of no width, those that change the direction of writing, line
 * and paragraph separators, halves of pairs: what a terminal obeys, or what looks like something else than it is.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** One line of a text from elsewhere, with what cannot be seen written out: `\n`, `\u{202e}`. */
export const visible = (text: string): string =>
  text.replaceAll(UNPRINTABLE, (c) => (c === '\n' ? '\\n' : `\\u{${(c.codePointAt(0) as number).toString(16)}}`));

/** The same text with one replacement character for each character that cannot be seen: it is never longer in characters. */
export const replaced = (text: string): string => text.replaceAll(UNPRINTABLE, '\ufffd');
