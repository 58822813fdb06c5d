/** Types whose mask is one value, whatever was there: geometry, tsvector and the like. Pure. */
import type { WireFormat } from './types.js';

/** float8 zeros and other numbers of a binary value, one after the other. */
function packed(...parts: readonly (readonly ['f8' | 'i4' | 'i8' | 'i2' | 'i1', number])[]): Buffer {
  return Buffer.concat(
    parts.map(([type, value]) => {
      const bytes = Buffer.alloc(type === 'i4' ? 4 : type === 'i2' ? 2 : type === 'i1' ? 1 : 8);
      if (type === 'f8') bytes.writeDoubleBE(value);
      else if (type === 'i8') bytes.writeBigInt64BE(BigInt(value));
      else bytes.writeIntBE(value, 0, bytes.length);
      return bytes;
    }),
  );
}

const zeros = (count: number): Buffer => Buffer.alloc(count * 8);
const pair = (text: string, binary: Buffer): Readonly<Record<WireFormat, Buffer>> => ({
  text: Buffer.from(text),
  binary,
});

/** Of one element, as `int2vector` and `oidvector` need. */
const vector = (type: number, width: 'i2' | 'i4', size: number): Buffer =>
  packed(['i4', 1], ['i4', 0], ['i4', type], ['i4', 1], ['i4', 0], ['i4', size], [width, 0]);

/** Types by OID for which a mask is one value, whatever was there: an empty one, or the origin. A tsquery cannot be empty in binary. */
export const CONSTANTS: ReadonlyMap<number, Readonly<Record<WireFormat, Buffer>>> = new Map([
  [600, pair('(0,0)', zeros(2))], // point
  [601, pair('[(0,0),(0,0)]', zeros(4))], // lseg
  [602, pair('((0,0))', Buffer.concat([packed(['i1', 1], ['i4', 1]), zeros(2)]))], // path
  [603, pair('(0,0),(0,0)', zeros(4))], // box
  [604, pair('((0,0))', Buffer.concat([packed(['i4', 1]), zeros(2)]))], // polygon
  [628, pair('{1,0,0}', packed(['f8', 1], ['f8', 0], ['f8', 0]))], // line
  [718, pair('<(0,0),0>', zeros(3))], // circle
  [3614, pair('', packed(['i4', 0]))], // tsvector
  [3615, pair("'masked'", Buffer.concat([packed(['i4', 1], ['i1', 1], ['i2', 0]), Buffer.from('masked\0')]))], // tsquery
  [3220, pair('0/0', zeros(1))], // pg_lsn
  [27, pair('(0,0)', packed(['i4', 0], ['i2', 0]))], // tid
  [22, pair('0', vector(21, 'i2', 2))], // int2vector
  [30, pair('0', vector(26, 'i4', 4))], // oidvector
  [2970, pair('1:1:', packed(['i4', 0], ['i8', 1], ['i8', 1]))], // txid_snapshot
  [5038, pair('1:1:', packed(['i4', 0], ['i8', 1], ['i8', 1]))], // pg_snapshot
  [4072, pair('$', Buffer.concat([packed(['i1', 1]), Buffer.from('$')]))], // jsonpath
]);
