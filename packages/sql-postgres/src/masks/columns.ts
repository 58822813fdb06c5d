/** Which base columns the rules mask. Pure. */
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn } from '../catalog/objects.js';
import type { Output, StatementLineage, Value } from '../lineage/index.js';
import { type AppliedMask, matcherOf, partsOfColumn } from '@sluice/contract';
import { isCounting, stricter } from '@sluice/masking';
import type { Meaning } from './catalogs.js';

/** Base columns that are masked, each by the strictest of the rules that name it. */
export type MaskedColumns = ReadonlyMap<BaseColumn, AppliedMask>;

/**
 * The columns of this catalog that the rules name, and the names that fit none. A column of a partition or child stands for
 * that of the topmost parent; one of a view is masked where it is taken from the view.
 */
function maskedColumns(
  { catalog }: Meaning,
  masks: readonly AppliedMask[],
): { columns: MaskedColumns; unmatched: readonly string[] } {
  const columns = new Map<BaseColumn, AppliedMask>();
  const unmatched: string[] = [];
  for (const mask of masks) {
    for (const pattern of mask.columns) {
      const found = named(catalog, pattern).flatMap((base) => catalog.roots(base));
      if (found.length === 0) unmatched.push(pattern);
      for (const base of found) {
        const known = columns.get(base);
        columns.set(base, known ? stricter(known, mask) : mask);
      }
    }
  }
  return { columns, unmatched };
}

/** Columns by what rules do to them. */
export interface RuledColumns {
  readonly masked: MaskedColumns;
  /** Their values pass and are counted. */
  readonly counted: MaskedColumns;
  /** Masked ones, and those that a budget counts which is not only observed: their values leave through answers or not at all. */
  readonly guarded: MaskedColumns;
  /** The rules but for those that are only observed. */
  readonly enforced: readonly AppliedMask[];
  readonly unmatched: readonly string[];
}

export function ruledColumns(meaning: Meaning, masks: readonly AppliedMask[]): RuledColumns {
  const { columns: masked, unmatched } = maskedColumns(
    meaning,
    masks.filter((mask) => !isCounting(mask)),
  );
  const counters = masks.filter(isCounting);
  if (counters.length === 0) return { masked, counted: new Map(), guarded: masked, enforced: masks, unmatched };
  const counted = maskedColumns(meaning, counters);
  const enforced = masks.filter(({ with: mode }) => mode.type !== 'count' || mode.observed !== true);
  const { columns: guarded } = maskedColumns(meaning, enforced);
  return { masked, counted: counted.columns, guarded, enforced, unmatched: [...unmatched, ...counted.unmatched] };
}

/** The rule for a value, and what its mark says that it is; undefined where it is not masked. */
export function ruleFor({ sources, counts }: Value, masked: MaskedColumns): MaskOf | undefined {
  if (counts) return undefined;
  let found: MaskOf | undefined;
  for (const source of sources) {
    const mask = masked.get(source);
    if (!mask) continue;
    const entity = source.name.slice(source.name.lastIndexOf('.') + 1).toUpperCase();
    found = found ? { mask: stricter(found.mask, mask), entity: found.entity } : { mask, entity };
  }
  return found;
}

interface MaskOf {
  readonly mask: AppliedMask;
  readonly entity: string;
}

/** It comes from a column that is gone: which rule was for it is not known any more. */
export function isStale({ sources }: Pick<Output, 'sources'>, catalog: Catalog): boolean {
  for (const source of sources) if (catalog.base(source) !== source) return true;
  return false;
}

/** Whether a statement has anything to do with these columns, or nobody knows. */
export const touches = (
  { outputs, predicates, conditionsOnUnknown, flows, unknown }: StatementLineage,
  masked: MaskedColumns,
  catalog: Catalog,
): boolean =>
  unknown !== undefined ||
  conditionsOnUnknown.length > 0 ||
  outputs.some((output) => output.unknown !== undefined || hits(output.sources, masked, catalog)) ||
  predicates.some(({ column }) => masked.has(column)) ||
  flows.some(({ value }) => value.unknown !== undefined || hits(value.sources, masked, catalog));

export const hits = (sources: ReadonlySet<BaseColumn>, masked: MaskedColumns, catalog: Catalog): boolean => {
  for (const column of masked.keys()) if (sources.has(column)) return true;
  return masked.size > 0 && isStale({ sources }, catalog);
};

function named(catalog: Catalog, pattern: string): BaseColumn[] {
  const parts = partsOfColumn(pattern);
  const [column, table, schema] = parts.toReversed().map((part) => matcherOf(part));
  const name = parts.at(-2);
  const among = name && !name.isPattern ? catalog.relationsNamed(name.text) : catalog.relations;
  return among
    .filter((one) => (table?.test(one.name) ?? true) && (schema?.test(one.schema) ?? notBuiltIn(one.schema)))
    .flatMap(({ columns }) => columns.filter((one) => column?.test(one.name)).map(({ base }) => base));
}

/** A pattern without a schema is not about the server's own tables. */
const notBuiltIn = (schema: string): boolean => schema !== 'pg_catalog' && schema !== 'information_schema';
