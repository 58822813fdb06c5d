/** Ranges and multiranges, with a mask for their bounds. Pure. */
import type { ElementMask } from './array.js';
import { quotedField } from './composite.js';
import { Malformed } from './types.js';

const broken = (): Malformed => new Malformed('not a range');

/** The masks of ranges that keep nothing. */
export const EMPTY = { text: Buffer.from('empty'), binary: Buffer.from([0x01]) } as const;
export const NO_RANGES = { text: Buffer.from('{}'), binary: Buffer.alloc(4) } as const;

/** A range as text (8.17.5): `[1,5)`, `(,"2024-01-01"]`, `empty`; both bounds go through a mask that keeps their order. */
export function rangeText(bytes: Buffer, start: number, end: number, bound: ElementMask): Buffer | null {
  const text = bytes.toString('latin1', start, end);
  if (text === 'empty') return EMPTY.text;
  const [, open, lower, upper, close] =
    /^([[(])("(?:[^"\\]|""|\\.)*"|[^",]*),("(?:[^"\\]|""|\\.)*"|[^",]*)([\])])$/s.exec(text) ?? [];
  if (open === undefined || lower === undefined || upper === undefined || close === undefined) throw broken();
  const parts = [lower, upper].map((one) => {
    if (one === '') return '';
    const plain = Buffer.from(
      one.replaceAll(/^"|"$/g, '').replaceAll(/""|\\(.)/gs, (_, char?: string) => char ?? '"'),
      'latin1',
    );
    const masked = bound(plain, 0, plain.length);
    return masked ? quotedField(masked).toString('latin1') : null;
  });
  return parts.includes(null) ? null : Buffer.from(`${open}${parts.join(',')}${close}`, 'latin1');
}

const IS_EMPTY = 0x01;
const LOWER_INFINITE = 0x08;
const UPPER_INFINITE = 0x10;

/** A range in binary (`range_send`): a byte of flags, then int32 size and bytes of each bound that is finite. */
export function rangeBinary(bytes: Buffer, start: number, end: number, bound: ElementMask): Buffer | null {
  if (end <= start) throw broken();
  const flags = bytes[start] as number;
  const out: Buffer[] = [Buffer.from([flags])];
  const bounds =
    (flags & IS_EMPTY) !== 0 ? 0 : 2 - Number((flags & LOWER_INFINITE) !== 0) - Number((flags & UPPER_INFINITE) !== 0);
  let at = start + 1;
  for (let n = 0; n < bounds; n++) {
    const size = at + 4 > end ? -1 : bytes.readInt32BE(at);
    if (size < 0 || at + 4 + size > end) throw broken();
    const masked = bound(bytes, at + 4, at + 4 + size);
    if (!masked) return null;
    const head = Buffer.alloc(4);
    head.writeInt32BE(masked.length);
    out.push(head, Buffer.from(masked));
    at += 4 + size;
  }
  if (at !== end) throw broken();
  return Buffer.concat(out);
}
