/** Which columns of a catalog the rules name. Pure. */
import { type AppliedMask, matcherOf, partsOfColumn } from '@sluice/contract';
import { isCounting, stricter } from '@sluice/masking';
import type { Catalog } from '../catalog/catalog.js';
import { type BaseColumn, folded, isOfServer } from '../catalog/objects.js';

/** Columns that are masked, each by the strictest of the rules that name it. */
export type MaskedColumns = ReadonlyMap<BaseColumn, AppliedMask>;

export interface NamedColumns {
  readonly columns: MaskedColumns;
  /** Patterns that fit no column. */
  readonly unmatched: readonly string[];
}

/** A judgement that is remembered comes with the same list each time. */
interface Remembered {
  readonly ofList: WeakMap<readonly AppliedMask[], NamedColumns>;
  readonly ofRules: Map<string, NamedColumns>;
}

const remembered = new WeakMap<Catalog, Remembered>();

/** The same rules mean the same columns as long as the catalog is the same. A column of a view is masked where it is taken from the view. */
function maskedColumns(catalog: Catalog, masks: readonly AppliedMask[]): NamedColumns {
  let known = remembered.get(catalog);
  if (!known) remembered.set(catalog, (known = { ofList: new WeakMap(), ofRules: new Map() }));
  let columns = known.ofList.get(masks);
  if (columns) return columns;
  const key = JSON.stringify(masks);
  columns = known.ofRules.get(key);
  if (!columns) known.ofRules.set(key, (columns = named(catalog, masks)));
  known.ofList.set(masks, columns);
  return columns;
}

function named(catalog: Catalog, masks: readonly AppliedMask[]): NamedColumns {
  const columns = new Map<BaseColumn, AppliedMask>();
  const unmatched: string[] = [];
  for (const mask of masks) {
    for (const pattern of mask.columns) {
      const found = matching(catalog, pattern);
      if (found.length === 0) unmatched.push(pattern);
      for (const base of found) {
        const known = columns.get(base);
        columns.set(base, known ? stricter(known, mask) : mask);
      }
    }
  }
  return { columns, unmatched };
}

function matching(catalog: Catalog, pattern: string): BaseColumn[] {
  const parts = partsOfColumn(pattern).map((part) => matcherOf(part, folded));
  const column = parts.pop() as RegExp;
  const table = parts.pop();
  const schema = parts.pop();
  // Names of columns never count with their case; too much is masked rather than too little where those of tables do.
  return catalog.contents.relations
    .filter(
      (one) => (table?.test(folded(one.name)) ?? true) && (schema?.test(folded(one.schema)) ?? notBuiltIn(one.schema)),
    )
    .flatMap(({ columns }) => columns.filter(({ name }) => column.test(folded(name))).map(({ base }) => base));
}

/** A pattern without a schema is not about the server's own tables. */
const notBuiltIn = (schema: string): boolean => !isOfServer(schema);

/** As of packages/sql-postgres/src/masks/columns.ts. */
export interface RuledColumns {
  readonly masked: MaskedColumns;
  /** Their values pass and are counted. */
  readonly counted: MaskedColumns;
  /** Masked ones, and those that a budget counts which is not only observed: their values leave through answers or not at all. */
  readonly guarded: MaskedColumns;
  readonly unmatched: readonly string[];
}

interface RuleLists {
  readonly masking: readonly AppliedMask[];
  readonly counting: readonly AppliedMask[];
  readonly enforced: readonly AppliedMask[];
}
const lists = new WeakMap<readonly AppliedMask[], RuleLists>();

export function ruledColumns(catalog: Catalog, masks: readonly AppliedMask[]): RuledColumns {
  let known = lists.get(masks);
  if (!known) {
    const counting = masks.filter(isCounting);
    const enforced = masks.filter(({ with: mode }) => mode.type !== 'count' || mode.observed !== true);
    known = { masking: counting.length === 0 ? masks : masks.filter((one) => !isCounting(one)), counting, enforced };
    lists.set(masks, known);
  }
  const { columns: masked, unmatched } = maskedColumns(catalog, known.masking);
  if (known.counting.length === 0) return { masked, counted: NO_COLUMNS, guarded: masked, unmatched };
  const counted = maskedColumns(catalog, known.counting);
  const { columns: guarded } = maskedColumns(catalog, known.enforced);
  return { masked, counted: counted.columns, guarded, unmatched: [...unmatched, ...counted.unmatched] };
}

const NO_COLUMNS: MaskedColumns = new Map();

/** It comes from a column that is gone: which rule was for it is not known any more. */
export function isStale(sources: ReadonlySet<BaseColumn>, catalog: Catalog): boolean {
  for (const one of sources) if (catalog.column(one.schema, one.table, one.column) !== one) return true;
  return false;
}
