/**
 * Makes texts of others safe to show. Owns: which characters a terminal, a log or a chat may be given as they are. Does not:
 * print (output.ts), or draw recorded screens (terminal.ts).
 */

/**
 * What a reader does not see, or a terminal obeys: control characters, formatting (Cf: bidirectional controls, zero-width
 * characters, tags), line separators, lone surrogates, and what Unicode calls ignorable by default (TR 44), such as
 * variation selectors and Hangul fillers. Line feeds and tabs are left to whoever knows whether the text is one line.
 */
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** The text with each such character written out, as `\x1b` or `\u{202e}`. Line feeds and tabs stay. */
export const printable = (text: string): string => text.replaceAll(HIDDEN, writtenOut);

/** Whether a text has characters that `printable` writes out: it may not be what it seems to be. */
export const hidesCharacters = (text: string): boolean => text.search(HIDDEN) >= 0;

/** One line of a text that may have many: `printable`, with runs of white space as one blank. */
export const printableLine = (text: string): string => printable(text.replaceAll(/\s+/g, ' ').trim());

/** A text in JSON with the same characters as escapes of JSON (RFC 8259, section 7). Parsed, it is the same value. */
export const printableJson = (json: string): string =>
  json.replaceAll(HIDDEN, (character) =>
    // A character beyond U+FFFF is two escapes.
    Array.from({ length: character.length }, (_, at) => unit(character.charCodeAt(at))).join(''),
  );

const unit = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;

function writtenOut(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

const HIDDEN_OR_BREAK = new RegExp(`${HIDDEN.source}|[\\n\\t]`, 'gu');

/** One line that says where the text had several: line feeds and tabs are written out too, as `\n` and `\t`. */
export const visible = (text: string): string =>
  text.replaceAll(HIDDEN_OR_BREAK, (character) => {
    if (character === '\n') return '\\n';
    return character === '\t' ? '\\t' : writtenOut(character);
  });

/** The same text with one replacement character for each such character: it is never longer in characters. */
export const replaced = (text: string): string => text.replaceAll(HIDDEN_OR_BREAK, '\ufffd');
