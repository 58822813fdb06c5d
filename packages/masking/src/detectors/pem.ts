/** Detector of private keys in PEM and OpenPGP armour. Pure. */
import { has, latin1 } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * Private keys in PEM (RFC 7468) and OpenPGP armour (RFC 4880 section 6.2). A key whose end is missing goes on to the end of the
 * value. Public keys and certificates are not secrets.
 *
 * An instance belongs to one scan: it looks for all ends once, so that many beginnings do not make it slow.
 */
export class PrivateKeys {
  /** For each label where its ends start, the next one last; undefined before the first beginning. */
  #ends: Map<string, number[]> | undefined;

  /** Called at every `--`, from left to right. */
  at(bytes: Buffer, at: number, start: number, end: number): Finding | undefined {
    if (!has(bytes, at, end, '-----BEGIN ') || (at > start && bytes[at - 1] === 0x2d)) return undefined;
    const label = BEGIN.exec(latin1(bytes, at, Math.min(end, at + MAX_LINE_BYTES)))?.[1];
    if (label === undefined) return undefined;
    this.#ends ??= endsFrom(bytes, at, end);
    const ends = this.#ends.get(label) ?? [];
    while (ends.length > 0 && (ends.at(-1) as number) < at) ends.pop();
    const last = ends.at(-1);
    const stop = last === undefined ? end : last + END_WORD.length + label.length + DASHES.length;
    return { entity: 'PRIVATE_KEY', start: at, end: stop };
  }
}

const BEGIN = /^-----BEGIN ((?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?)-----/;
const END = /^-----END ([A-Z0-9 ]+)-----/;
const END_WORD = '-----END ';
const DASHES = '-----';
const MAX_LINE_BYTES = 80;

/** Where every `-----END label-----` starts, by label, the last one first. */
function endsFrom(bytes: Buffer, from: number, end: number): Map<string, number[]> {
  const ends = new Map<string, number[]>();
  const text = bytes.subarray(0, end);
  for (let at = text.indexOf(END_WORD, from); at >= 0; at = text.indexOf(END_WORD, at + END_WORD.length)) {
    const label = END.exec(latin1(bytes, at, Math.min(end, at + MAX_LINE_BYTES)))?.[1];
    if (label === undefined) continue;
    const known = ends.get(label);
    if (known) known.push(at);
    else ends.set(label, [at]);
  }
  for (const positions of ends.values()) positions.reverse();
  return ends;
}
