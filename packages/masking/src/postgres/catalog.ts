/** Which built-in type is masked in which way, by its number. Does not: types of users, which a catalog has to name. */
import { bits, bytea, macaddr, uuid } from './bytes.js';
import { date, interval, time, timestamp, timetz } from './datetime.js';
import { bool, float, integer, money, registered } from './integers.js';
import { network } from './network.js';
import { numeric } from './numeric.js';
import type { PgType, Scalar } from './types.js';

/** The scalars by OID (`pg_type.dat` of PostgreSQL 18). Their values are checked one by one, so the types differ. */
export const SCALARS: ReadonlyMap<number, Scalar<never>> = new Map<number, unknown>([
  [16, bool],
  [17, bytea],
  [20, integer(8)],
  [21, integer(2)],
  [23, integer(4)],
  [26, integer(4, true)],
  [28, integer(4, true)],
  [29, integer(4, true)],
  [5069, integer(8, true)],
  [700, float(4)],
  [701, float(8)],
  [790, money],
  [1700, numeric],
  [1082, date],
  [1083, time],
  [1114, timestamp(false)],
  [1184, timestamp(true)],
  [1186, interval],
  [1266, timetz],
  [1560, bits(true)],
  [1562, bits(false)],
  [2950, uuid],
  [650, network(true)],
  [869, network(false)],
  [829, macaddr(6)],
  [774, macaddr(8)],
  ...[24, 2202, 2203, 2204, 2205, 2206, 4096, 4089, 4191, 3734, 3769].map((oid) => [oid, registered] as const),
]) as ReadonlyMap<number, Scalar<never>>;

/** text, varchar, unknown, cstring, refcursor. */
export const TEXTS: ReadonlySet<number> = new Set([25, 1043, 705, 2275, 1790]);
/** Types of extensions that are texts on the wire. */
export const TEXT_NAMES: ReadonlySet<string> = new Set(['citext']);

const pairs = (text: string): [number, number][] =>
  text.split(' ').map((pair) => pair.split(':').map(Number) as [number, number]);

const ELEMENTS: ReadonlyMap<number, number> = new Map(
  pairs(
    '1000:16 1001:17 1002:18 1003:19 1016:20 1005:21 1006:22 1007:23 1008:24 1009:25 1028:26 1010:27 1011:28 1012:29 1013:30 ' +
      '199:114 143:142 271:5069 1017:600 1018:601 1019:602 1020:603 1027:604 629:628 719:718 1021:700 1022:701 791:790 1040:829 ' +
      '775:774 1041:869 651:650 1014:1042 1015:1043 1182:1082 1183:1083 1115:1114 1185:1184 1187:1186 1231:1700 1270:1266 1561:1560 ' +
      '1563:1562 2201:1790 2207:2202 2208:2203 2209:2204 2210:2205 2211:2206 2949:2970 2951:2950 3221:3220 3643:3614 3645:3615 ' +
      '3735:3734 3770:3769 3807:3802 3905:3904 3907:3906 3909:3908 3911:3910 3913:3912 3927:3926 4073:4072 4090:4089 4097:4096 ' +
      '4192:4191 5039:5038 6150:4451 6151:4532 6152:4533 6153:4534 6155:4535 6157:4536 1263:2275',
  ),
);

const BOUNDS: ReadonlyMap<number, number> = new Map(
  pairs(
    '3904:23 3906:1700 3908:1114 3910:1184 3912:1082 3926:20 4451:23 4532:1700 4533:1114 4534:1184 4535:1082 4536:20',
  ),
);

const MULTIRANGES: ReadonlySet<number> = new Set([4451, 4532, 4533, 4534, 4535, 4536]);

/** The elements of an array, the bounds of a range, what a domain is over; undefined if nobody has said. */
export function elementOf(type: PgType): PgType | undefined {
  if (type.element) return type.element;
  const oid = type.kind === 'array' ? ELEMENTS.get(type.oid) : BOUNDS.get(type.oid);
  return oid === undefined ? undefined : { ...builtIn(oid), typmod: type.typmod ?? -1 };
}

/** A built-in type by its OID, as far as the OID tells. */
export function builtIn(oid: number, typmod = -1): PgType {
  const kind = ELEMENTS.has(oid) ? 'array' : MULTIRANGES.has(oid) ? 'multirange' : BOUNDS.has(oid) ? 'range' : 'base';
  return { oid, typmod, kind };
}
