/** What a terminal would show of a stream, as far as detectors need it. Owns: which bytes show nothing. Pure. */

/**
 * What a terminal would show of a stream, as far as it matters to detectors: the bytes without those that neither show nor move
 * anything. A secret in two colours is one secret.
 */
export interface Plain {
  readonly bytes: Buffer;
  /** Where one of them stands in the stream's bytes; their end for the one behind the last. */
  at(position: number): number;
  /** Where the stream's bytes stop in the middle of an escape sequence; their end when they do not. */
  readonly whole: number;
}

const ESC = 0x1b;
/** The final bytes of control sequences (ECMA-48 section 8.3) that leave the cursor: SGR, ED, EL, modes, reports, DECSCUSR. */
const STILL = new Set(Buffer.from('mJKhlqnctr'));
/** Longer than this a sequence is none. */
const MAX_SEQUENCE_BYTES = 4096;

/** The plain bytes of `raw`, behind `lead`, which is not part of the stream. */
export function plainOf(raw: Buffer, lead: Buffer): Plain {
  if (isPlain(raw)) {
    const behind = lead.length;
    return { bytes: Buffer.concat([lead, raw]), at: (position) => position - behind, whole: raw.length };
  }
  const bytes = Buffer.alloc(lead.length + raw.length);
  const at = new Int32Array(lead.length + raw.length + 1);
  lead.copy(bytes);
  let to = lead.length;
  let from = 0;
  while (from < raw.length) {
    const byte = raw[from] as number;
    const end = byte === ESC ? endOfSequence(raw, from) : from + 1;
    if (end === undefined) break;
    if (byte === ESC ? !isStill(raw, from, end) : !SILENT.has(byte)) {
      // What moves the cursor ends a word, whatever it is.
      bytes[to] = byte === ESC ? 0x00 : byte;
      at[to++] = from;
    }
    from = end;
  }
  at[to] = from;
  return { bytes: bytes.subarray(0, to), at: (position) => at[position] as number, whole: from };
}

/** No byte in it belongs to an escape sequence, or shows nothing. */
export function isPlain(raw: Buffer): boolean {
  for (let at = 0; at < raw.length; at++) if (SPECIAL[raw[at] as number] === 1) return false;
  return true;
}

/** NUL, BEL, SO and SI show nothing. */
const SILENT = new Set([0x00, 0x07, 0x0e, 0x0f]);
const SPECIAL = new Uint8Array(256);
for (const byte of [ESC, ...SILENT]) SPECIAL[byte] = 1;

/** Behind the sequence at `from`; undefined where it is not complete. */
function endOfSequence(raw: Buffer, from: number): number | undefined {
  const kind = raw[from + 1];
  if (kind === undefined) return undefined;
  const limit = Math.min(raw.length, from + MAX_SEQUENCE_BYTES);
  if (kind === 0x5b) {
    for (let at = from + 2; at < limit; at++) {
      const byte = raw[at] as number;
      if (byte >= 0x40 && byte <= 0x7e) return at + 1;
      if (byte < 0x20 || byte > 0x3f) return at;
    }
  } else if (kind === 0x5d || kind === 0x50 || kind === 0x5f || kind === 0x5e) {
    // OSC, DCS, APC, PM: up to BEL or ST.
    for (let at = from + 2; at < limit; at++) {
      if (raw[at] === 0x07) return at + 1;
      if (raw[at] === ESC) return raw[at + 1] === 0x5c ? at + 2 : at + 1 < raw.length ? at : undefined;
    }
  } else if (kind >= 0x20 && kind <= 0x2f) {
    return from + 2 < raw.length ? from + 3 : undefined;
  } else return from + 2;
  return raw.length - from >= MAX_SEQUENCE_BYTES ? from + MAX_SEQUENCE_BYTES : undefined;
}

function isStill(raw: Buffer, from: number, end: number): boolean {
  const kind = raw[from + 1] as number;
  if (kind === 0x5b) return STILL.has(raw[end - 1] as number);
  // Index, next line, reverse index, restore and reset move the cursor.
  return !'DEMc8'.includes(String.fromCharCode(kind));
}
