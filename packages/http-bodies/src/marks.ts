/**
 * Marks and pseudonyms of masks in a body that is sent. Owns: the ways in which formats write them. Does not: know where in the body one is.
 */
import { looksMasked } from '@sluice/masking';
import { percentDecoded } from './decodings.js';
import { saidByMarkup } from './entities.js';

/** In base64 a mark begins so, and a pseudonym, each up to where the letters hang on what follows. */
const IN_BASE64 = /(?:W21hc2tlZ|dG9rX)[A-Za-z0-9+/_-]*/g;
const ESCAPED = /\\u00([0-7][0-9a-f])/gi;

/** As they are, or behind the percent signs, escapes, references or base64 that they come with where a value is written back. */
export function hasMask(body: Buffer): boolean {
  const text = body.toString('latin1');
  if (looksMasked(text)) return true;
  const percent = percentDecoded(body)?.toString('latin1');
  if (percent !== undefined && looksMasked(percent)) return true;
  if (text.includes('\\u00') && looksMasked(text.replaceAll(ESCAPED, (_, hex: string) => letterOf(hex)))) return true;
  if (text.includes('&') && looksMasked(saidByMarkup(body).bytes.toString('latin1'))) return true;
  const inBase64 = (percent ?? text).match(IN_BASE64) ?? [];
  return inBase64.some((letters) => looksMasked(Buffer.from(letters, 'base64').toString('latin1')));
}

const letterOf = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16));
