/**
 * What becomes of a value that a statement puts together, part by part. Data alone: `parts.ts` and `document.ts` do it. Pure.
 */
import type { DetectorOptions } from './detector.js';
import type { MaskOptions, PgType } from './types.js';

/** What becomes of a value by its parts, as data. An array and a JSON array are a `list`, or a `tuple` if its size is written. */
export type PartMask =
  | { readonly type: 'keep' }
  /** A masked column as it is stored, and something that is computed from one. */
  | { readonly type: 'column' | 'mark'; readonly of: PgType; readonly options: MaskOptions }
  | { readonly type: 'detect'; readonly of: PgType; readonly options: DetectorOptions }
  /** A text that is JSON. */
  | { readonly type: 'document'; readonly root: PartMask }
  | { readonly type: 'object'; readonly fields: readonly (readonly [key: string, mask: PartMask])[] }
  | { readonly type: 'list'; readonly item: PartMask }
  | { readonly type: 'map'; readonly item: PartMask }
  | { readonly type: 'tuple'; readonly items: readonly PartMask[] }
  | { readonly type: 'row'; readonly items: readonly PartMask[] };
