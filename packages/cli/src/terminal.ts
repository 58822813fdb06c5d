/**
 * Recorded output of a terminal on its way to another one. Owns: which control sequences pass. Does not: the record
 * (packages/reading).
 */

/**
 * Lets recorded output of a terminal onto another one. It came from strangers: what only draws passes; what a terminal would
 * answer as if somebody had typed, what reaches its clipboard, its title, its printer or its keys, and whatever is not known,
 * does not (ECMA-48; xterm's ctlseqs). Neither do characters that turn the order of others around (Unicode, UAX 9).
 */
export class SafeTerminal {
  #kept: Buffer = Buffer.alloc(0);

  /** Takes bytes cut anywhere. */
  push(bytes: Buffer): Buffer {
    const all = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    const out: Buffer[] = [];
    let at = 0;
    let plain = 0;
    while (at < all.length) {
      const byte = all[at] as number;
      if (byte >= 0x20 && byte !== 0x7f && byte !== 0xc2 && byte !== DIRECTIONS) {
        at++;
        continue;
      }
      const end = endOf(all, at);
      if (end === undefined) break;
      if (!draws(all, at, end)) {
        out.push(all.subarray(plain, at));
        plain = end;
      }
      at = end;
    }
    out.push(all.subarray(plain, at));
    this.#kept = Buffer.from(all.subarray(at));
    return Buffer.concat(out);
  }

  /** Puts the terminal back: colours, cursor, the main screen. */
  end(): Buffer {
    this.#kept = Buffer.alloc(0);
    return Buffer.from('\u001b[0m\u001b[?25h\u001b[?7h\u001b[?1049l\u001b[r\r\n');
  }
}

const ESC = 0x1b;
/** The first byte of U+2000 to U+2FFF in UTF-8. */
const DIRECTIONS = 0xe2;
const MAX_SEQUENCE_BYTES = 4096;

/** Behind the control character or sequence at `from`; undefined where more has to come. */
function endOf(all: Buffer, from: number): number | undefined {
  const [byte, kind] = [all[from], all[from + 1]];
  if (byte === 0xc2) return kind === undefined ? undefined : from + 2;
  if (byte === DIRECTIONS) {
    const rest = all.subarray(from + 1, from + 3);
    // Without both of its continuation bytes it is no character, and what follows it stands for itself.
    if (rest.some((one) => one < 0x80 || one > 0xbf)) return from + 1;
    return rest.length === 2 ? from + 3 : undefined;
  }
  if (byte !== ESC) return from + 1;
  if (kind === undefined) return undefined;
  if (kind === 0x5b) {
    let at = from + 2;
    while (
      at < all.length &&
      at - from < MAX_SEQUENCE_BYTES &&
      (all[at] as number) >= 0x20 &&
      (all[at] as number) <= 0x3f
    )
      at++;
    return at < all.length ? at + 1 : undefined;
  }
  if (kind === 0x5d || kind === 0x50 || kind === 0x5e || kind === 0x5f || kind === 0x58) {
    for (let at = from + 2; at < all.length; at++) {
      if (all[at] === 0x07 && kind === 0x5d) return at + 1;
      if (all[at] === ESC && at + 1 < all.length) return all[at + 1] === 0x5c ? at + 2 : at;
      if (at - from >= MAX_SEQUENCE_BYTES) return at;
    }
    return undefined;
  }
  if (kind >= 0x20 && kind <= 0x2f) return from + 2 < all.length ? from + 3 : undefined;
  // Not a sequence at all: the next byte stands for itself.
  return kind < 0x20 || kind > 0x7e ? from + 1 : from + 2;
}

/** Modes that change no more than how output is drawn: cursor keys are input, and so is the mouse. */
const MODES = /^\u001b\[(?:\?(?:7|12|25|47|1047|1048|1049|2026)(?:;(?:7|12|25|47|1047|1048|1049|2026))*|4)[hl]$/;
const SEQUENCE = /^\u001b\[[\d;:]*[A-HJKLMPSTX@`adefgmrsu]$/;

function draws(all: Buffer, from: number, end: number): boolean {
  const byte = all[from] as number;
  if (byte === 0xc2) return (all[from + 1] as number) >= 0xa0;
  // U+202A to U+202E and U+2066 to U+2069: embeddings, overrides, isolates.
  if (byte === DIRECTIONS)
    return !/^\u00e2(?:\u0080[\u00aa-\u00ae]|\u0081[\u00a6-\u00a9])/.test(all.toString('latin1', from, end));
  if (byte !== ESC) return byte === 0x08 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  const text = all.toString('latin1', from, end);
  // Saved cursor, index, next line, reverse index, tab stop, reset, character sets.
  return SEQUENCE.test(text) || MODES.test(text) || /^\u001b(?:[78DEHM]|[()][AB0])$/.test(text);
}
