/**
 * Texts that PostgreSQL's grammar takes long to read. Owns: which are read by the thread of the sessions, that others wait for. Does not own:
 * reading them (grammar.ts), nor the threads for all others (`@sluice/analysis`). Pure.
 */

/** What is longer is read by other threads, which say what there is to know of it. Characters. */
const MAX_CHARACTERS = 64 * 1024;

/** The longest operator that there is has 63 characters. */
const LONG_RUN = 256;
const MAX_BEGINNINGS = 64;

const [SLASH, STAR, PLUS] = [0x2f, 0x2a, 0x2b];
const IS_OPERATOR = new Uint8Array(128);
for (const sign of '~!@#^&|`?%<>=+*/-') IS_OPERATOR[sign.charCodeAt(0)] = 1;

/**
 * Whether the time that reading takes grows with the square of the length: `++++...`, and comments in one another. In a run of characters of
 * operators the scanner begins anew at each `+` and each comment, and goes to the end of the run each time (`operator` and `xcstart` in scan.l).
 */
export function isCostly(text: string): boolean {
  let [length, beginnings, before] = [0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 128 && IS_OPERATOR[code] === 1) {
      length++;
      if (code === PLUS || (code === STAR && before === SLASH)) beginnings++;
      if (beginnings > MAX_BEGINNINGS && length >= LONG_RUN) return true;
    } else length = beginnings = 0;
    before = code;
  }
  return false;
}

/** Whether it is nothing for the thread of the sessions. */
export const tooLong = (text: string): boolean => text.length > MAX_CHARACTERS || isCostly(text);
