/** Bound values, as far as conditions on masked columns depend on them: how many values an array has. Pure. */
import type { Parameter } from '@sluice/contract';

/**
 * How many values a parameter has at most where it is read as an array: its elements (`array_in` and `array_recv`,
 * arrayfuncs.c), none for NULL. Infinity where that cannot be told.
 */
export function elementsOf(parameter: Parameter | undefined): number {
  if (!parameter) return Number.POSITIVE_INFINITY;
  const { type, format, value } = parameter;
  if (value === null) return 0;
  if (format === 'binary') return elementsOfBinary(Buffer.from(value.buffer, value.byteOffset, value.length));
  if (VECTORS.has(type)) return Number.POSITIVE_INFINITY;
  let separators = 0;
  for (const byte of value) if (byte === COMMA || byte === SEMICOLON) separators++;
  return separators + 1;
}

/** int32 dimensions, int32 flags, int32 type of the elements, then int32 size and int32 lower bound of each dimension. */
function elementsOfBinary(value: Buffer): number {
  const dimensions = value.length < 12 ? -1 : value.readInt32BE(0);
  if (dimensions < 0 || dimensions > 6 || value.length < 12 + dimensions * 8) return Number.POSITIVE_INFINITY;
  let elements = dimensions === 0 ? 0 : 1;
  for (let n = 0; n < dimensions; n++) elements *= Math.max(0, value.readInt32BE(12 + n * 8));
  return elements;
}

/** int2vector and oidvector, whose elements stand between spaces. */
const VECTORS: ReadonlySet<number> = new Set([22, 30]);
const COMMA = 0x2c;
/** Between boxes. */
const SEMICOLON = 0x3b;
