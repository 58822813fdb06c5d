/** Quoted texts within JSON and hstore: where they end. Pure. */

/**
 * Behind the text in double quotes that starts at `at`, in which a backslash takes the next character with it (JSON, hstore);
 * -1 when it does not end. A loop, because a pattern keeps a place to go back to for each character of a long text.
 */
export function endOfQuoted(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === 0x22) return next + 1;
    if (code === 0x5c) next++;
  }
  return -1;
}
