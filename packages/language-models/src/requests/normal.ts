/**
 * Texts as word lists and patterns are held against them. Owns: which signs say the same, and which say nothing. Does not: look for
 * anything.
 */

/** Signs that no reader sees (Unicode, Default_Ignorable_Code_Point), and those that format others. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/gu;
/** Letters written as tags: nobody sees them, and models read them. */
const TAGS = /[\u{e0020}-\u{e007e}]/gu;
const TAGS_START = 0xe0000;
/** Most texts, for which all that takes longer changes nothing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are blanks here
const PLAIN = /^[\u0000-\u007e]*$/;
const BLANKS = /[\s\p{Cc}]+/gu;

/** What a text says to whoever reads it: compatible forms as one (NFKC), without signs that nobody sees. The same where that changes nothing. */
export function plainText(text: string): string {
  if (PLAIN.test(text)) return text;
  const seen = text
    .replaceAll(TAGS, (tag) => String.fromCharCode((tag.codePointAt(0) as number) - TAGS_START))
    .replaceAll(UNSEEN, '');
  // Twice without unseen signs: some compatible forms have them.
  return seen.normalize('NFKC').replaceAll(UNSEEN, '');
}

/** The same without case, and each run of blanks as one blank. */
export function normalised(text: string): string {
  const plain = plainText(text);
  const folded = plain === text && PLAIN.test(text) ? plain.toLowerCase() : caseless(plain);
  return folded.replaceAll(BLANKS, ' ');
}

/** Upper case first: some letters have no lower case of their own. What comes of it may be compatible forms again. */
const caseless = (text: string): string => text.toUpperCase().toLowerCase().normalize('NFKC');
