/** How many tokens a text may have. Owns: the estimate. Does not: know any provider's tokens, which differ by model. Pure. */

/** Letters of English that a token has, in round numbers. */
const CHARACTERS_PER_TOKEN = 4;
/** What an image is counted as: providers take from 85 to some 1,600. */
export const TOKENS_PER_IMAGE = 1_000;

/** Beyond ASCII a character is counted as a token of its own. */
export function estimatedTokens(text: string): number {
  let ascii = 0;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < 0x80) ascii++;
  return Math.ceil(ascii / CHARACTERS_PER_TOKEN) + (text.length - ascii);
}
