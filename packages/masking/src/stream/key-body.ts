/** The lines of a private key in a stream. Owns: which line still belongs to it. Pure. */

/**
 * The lines of a private key behind its first (RFC 7468, RFC 4880 section 6.2): base64, headers, blank ones, and the last. A
 * line that is none of these ends it, so that a key without an end does not take the rest of a session with it.
 */
export class KeyBody {
  #left = 64 * 1024;

  /** A whole line: 'all' belongs to the key, 'none' of it, or as many bytes of it as the end has. */
  line(bytes: Buffer): 'all' | 'none' | number {
    this.#left -= bytes.length;
    if (this.#left < 0) return 'none';
    const text = withoutEnd(bytes);
    if (BODY.test(text)) return 'all';
    return LAST.exec(text)?.[0].length ?? 'none';
  }

  /** A line that has not ended may still be one of the key. */
  mayGoOn(bytes: Buffer): boolean {
    if (bytes.length > this.#left) return false;
    const text = withoutEnd(bytes);
    if (BODY.test(text) || LAST.test(text) || /^-----END [A-Z0-9 ]{0,40}-{0,5}$/.test(text)) return true;
    return '-----END '.startsWith(text) || HEADERS.some((name) => name.startsWith(text));
  }
}

const HEADERS = ['Proc-Type:', 'DEK-Info:', 'Version:', 'Comment:', 'Hash:', 'Charset:'];
const BODY = /^[A-Za-z0-9+/=\t ]{0,200}$|^(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset):.{0,200}$/;
const LAST = /^-----END [A-Z0-9 ]{1,40}-----/;

/** The line without its end, and what a terminal puts there. */
function withoutEnd(bytes: Buffer): string {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d || bytes[end - 1] === 0x00)) end--;
  return bytes.toString('latin1', 0, end);
}
