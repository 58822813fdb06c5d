/**
 * Values that pass and are counted. Owns: what makes two of them the same one. Does not: remember them (disclosed.ts), or mask.
 */
import { detect } from '../detectors/index.js';
import { type Entity, type Finding, NONE } from '../detectors/finding.js';
import { discloses, disclosesSome } from '../disclosed.js';
import { type Mode, normalised } from '../modes.js';
import { SCALARS } from './catalog.js';
import type { CellMask, PgType, WireFormat } from './types.js';

/** A column whose values pass and are told to budgets: unless they are computed, so that nobody knows how many are in one. */
export interface Counted {
  readonly of: PgType | undefined;
  readonly format: WireFormat;
  readonly budgets: readonly string[];
  readonly key: Uint8Array;
  readonly isComputed: boolean;
}

/** As of detectors (detector.ts). */
interface Looked {
  readonly modes: ReadonlyMap<Entity, Mode>;
  readonly key: Uint8Array;
}

/**
 * Behind what else becomes of a value: of one that is masked in part the rest is shown, and counted. What it is computed from may be in that rest,
 * whatever else stands beside it and is masked.
 */
export function countedMask(mask: Counted, inner: CellMask | undefined): CellMask {
  const { budgets, isComputed, key, of, format } = mask;
  const cell: CellMask = (bytes, start, end) => {
    const made = inner?.(bytes, start, end);
    if (made === null) return null;
    if (isComputed) disclosesSome(budgets);
    else discloses(budgets, made ?? canonical(of, format, bytes, start, end), key);
    return made;
  };
  return inner === undefined || inner.passes ? Object.assign(cell, { passes: true as const }) : cell;
}

/** money, and names of objects: masks read texts of these that they do not know as one value. By pg_type.oid. */
const READ_AS_ONE: ReadonlySet<number> = new Set([790, 24, 2202, 2203, 2204, 2205, 2206, 4096, 4089, 4191, 3734, 3769]);

/** The same for both forms on the wire, as far as the type is known. */
function canonical(
  of: PgType | undefined,
  format: WireFormat,
  bytes: Buffer,
  start: number,
  end: number,
): string | Uint8Array {
  const type = of?.kind === 'domain' ? of.element : of;
  const scalar = type && SCALARS.get(type.oid);
  const raw = bytes.subarray(start, end);
  if (!scalar || (format === 'text' && READ_AS_ONE.has(type.oid))) return raw;
  try {
    const value: unknown = scalar.read(bytes, start, end, format);
    if (value instanceof Uint8Array) return value;
    return typeof value === 'object' ? JSON.stringify(value, plain) : String(value);
  } catch {
    return raw;
  }
}

const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

interface Split {
  readonly masked: ReadonlyMap<Entity, Mode>;
  readonly counting: ReadonlyMap<Entity, Extract<Mode, { type: 'count' }>>;
}
const splits = new WeakMap<ReadonlyMap<Entity, Mode>, Split>();

function splitOf(modes: ReadonlyMap<Entity, Mode>): Split {
  const known = splits.get(modes);
  if (known) return known;
  const counting = new Map(
    [...modes].flatMap(([entity, mode]) => (mode.type === 'count' ? [[entity, mode] as const] : [])),
  );
  const masked = counting.size === 0 ? modes : new Map([...modes].filter(([entity]) => !counting.has(entity)));
  const split = { masked, counting };
  splits.set(modes, split);
  return split;
}

/** Nothing that is found is masked. */
export const onlyCounts = ({ modes }: Looked): boolean => splitOf(modes).masked.size === 0;

/**
 * What of a text is to be masked. What is found besides, and passes, is counted: looked for by itself, so that no finding that is only counted
 * hides one that is masked.
 */
export function maskedFindings(bytes: Buffer, start: number, end: number, { modes, key }: Looked): readonly Finding[] {
  const { masked, counting } = splitOf(modes);
  const findings = masked.size > 0 ? detect(bytes, start, end, masked) : NONE;
  if (counting.size === 0) return findings;
  for (const { entity, start: from, end: to } of detect(bytes, start, end, counting)) {
    if (findings.some((one) => one.start < to && from < one.end)) continue;
    const { budgets = [] } = counting.get(entity) ?? {};
    discloses(budgets, normalised(bytes.toString('utf8', from, to), entity), key);
  }
  return findings;
}
