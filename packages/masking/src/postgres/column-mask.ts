/**
 * What a column's mask is made from, as data: another thread makes the same mask of it. Does not: mask (mask.ts, detector.ts).
 * Pure.
 */
import type { MaskFactory } from '../result-masks.js';
import { binaryPartsMask } from './binary-parts.js';
import { type Counted, countedMask } from './counted.js';
import { TEXTS } from './catalog.js';
import { type DetectorOptions, detectorFor } from './detector.js';
import { fixedMask } from './fixed.js';
import { isVersioned } from './json.js';
import { maskFor } from './mask.js';
import type { PartMask } from './part-mask.js';
import { guarded, partsMask } from './parts.js';
import { type PlanFormat, planMask } from './plan.js';
import type { CellMask, WireFormat, MaskOptions, PgType } from './types.js';

/**
 * 'column': all of the value is masked; 'fixed': it is computed from such values; 'parts': some of what it is put
 * together from; 'plan': it is of EXPLAIN; 'detect': what detectors find in it; 'counted': see
 * `CountedMask`.
 */
export type ColumnMask =
  | { readonly type: 'null' }
  | {
      readonly type: 'column' | 'fixed';
      readonly of: PgType;
      readonly format: WireFormat;
      readonly options: MaskOptions;
    }
  | { readonly type: 'parts'; readonly of: PgType; readonly format: WireFormat; readonly parts: PartMask }
  | { readonly type: 'plan'; readonly of: PgType; readonly format: WireFormat; readonly plan: PlanFormat }
  | { readonly type: 'detect'; readonly of: PgType; readonly format: WireFormat; readonly options: DetectorOptions }
  | CountedMask;

interface CountedMask extends Counted {
  readonly type: 'counted';
  /** What else becomes of them. */
  readonly inner: ColumnMask | undefined;
}

/** Undefined where values of the column pass as they are. */
export function cellMaskOf(mask: ColumnMask | undefined): CellMask | undefined {
  if (!mask) return undefined;
  switch (mask.type) {
    case 'null':
      return () => null;
    case 'column':
      return maskFor(mask.of, mask.format, mask.options);
    case 'fixed':
      return fixedMask(mask.of, mask.format, mask.options);
    case 'plan':
      return planMask(mask.plan);
    case 'parts':
      return isBinary(mask)
        ? guarded(binaryPartsMask(mask.parts))
        : partsMask(mask.parts, isVersioned(mask.of.oid, mask.format));
    case 'counted':
      return countedMask(mask, cellMaskOf(mask.inner));
    default:
      return detectorFor(mask.of, mask.format, mask.options);
  }
}

/** Rows and arrays have a binary form; texts of them, and documents, are the same in both but for the version of jsonb. */
const isBinary = ({ of, format, parts }: Extract<ColumnMask, { type: 'parts' }>): boolean =>
  format === 'binary' && parts.type !== 'document' && !TEXTS.has(of.oid);

export const POSTGRES_MASKS: MaskFactory<ColumnMask> = {
  module: new URL('../../dist/postgres/column-mask.js', import.meta.url).href,
  cellMaskOf,
  hashesParts: (column): boolean =>
    (column.type === 'counted' && column.inner !== undefined && POSTGRES_MASKS.hashesParts(column.inner)) ||
    (column.type === 'column' && column.options.mode.type === 'hash' && hasParts(column.of)),
};

/** Arrays, rows, JSON and hstore, and domains over them. */
const hasParts = ({ kind, oid, name, element }: PgType): boolean =>
  kind === 'array' ||
  kind === 'composite' ||
  oid === 114 ||
  oid === 3802 ||
  name === 'hstore' ||
  (kind === 'domain' && element !== undefined && hasParts(element));
