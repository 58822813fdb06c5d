/**
 * What becomes of a result: the lineage of a statement held against the definitions that the target sends, and a mask for each column.
 * Owns: that. Does not: rows (rows.ts), nor what names mean (lineage).
 */
import { type AppliedMask, type MySqlColumn, type PacketEditor, Unmasked } from '@sluice/contract';
import { type CellMask, builtIn, cellMaskOf, detectorsOf, modeOf, stricter } from '@sluice/masking';
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn } from '../catalog/objects.js';
import type { Session, StatementLineage, Value } from '../lineage/index.js';
import type { MaskedColumns } from './columns.js';
import { rowEditor } from './rows.js';
import { maskedAs } from './values.js';

/** All that decides what becomes of a result. */
export interface Rules {
  readonly catalog: Catalog;
  readonly masked: MaskedColumns;
  readonly masks: readonly AppliedMask[];
  readonly key: Uint8Array;
  /** What the session's names mean: temporary tables are in no catalog. */
  readonly session: Session;
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
}

/**
 * The editor for rows that the target has described like this; undefined when they may pass.
 *
 * @param lineage undefined where nothing is known of the statement
 * @throws Unmasked when the description is not that of the result that was judged
 */
export function resultEditor(
  rules: Rules,
  lineage: StatementLineage | undefined,
  columns: readonly MySqlColumn[],
  format: 'text' | 'binary',
): PacketEditor | undefined {
  const values = valuesOf(rules, lineage, columns);
  const masks = columns.map((column, at) => maskOf(rules, values?.[at], column));
  return rowEditor({ columns, masks, format, count: rules.count });
}

/** Where the values of each column come from; undefined where that is not known. */
function valuesOf(
  rules: Rules,
  lineage: StatementLineage | undefined,
  columns: readonly MySqlColumn[],
): readonly Value[] | undefined {
  if (!lineage || lineage.unknown !== undefined) return undefined;
  const { outputs, each } = lineage;
  if (each) return columns.map(() => each);
  if (outputs.length !== columns.length) {
    throw new Unmasked(`The target describes ${columns.length} columns where the statement has ${outputs.length}.`);
  }
  return columns.map((column, at) => agreed(rules, outputs[at] as Value, column));
}

/**
 * A definition that names a stored column has to name one of the sources. MySQL says of a derived table the table below it with the
 * derived table's own name of the column, so that there it may be another column of that table: its mask counts as well.
 */
function agreed({ catalog, session }: Rules, value: Value, column: MySqlColumn): Value {
  const { schema, orgTable, orgName, name } = column;
  if (orgTable === '' || orgName === '' || value.unknown !== undefined) return value;
  if (session.temporary.has(catalog.keyOf(schema, orgTable))) return value;
  const base = catalog.column(schema, orgTable, orgName);
  if (!base || value.sources.has(base)) return value;
  const isOfSameTable = [...value.sources].some((one) => one.schema === base.schema && one.table === base.table);
  if (catalog.contents.flavour === 'mysql' && isOfSameTable)
    return { ...value, sources: new Set([...value.sources, base]) };
  throw new Unmasked(`The target says that column "${name}" comes from elsewhere than the statement does.`);
}

/** What becomes of a column: undefined, it passes. */
function maskOf(
  { catalog, masked, masks, key }: Rules,
  value: Value | undefined,
  column: MySqlColumn,
): CellMask | undefined {
  if (masked.size > 0 && whyNotFollowed(value, catalog) !== undefined) return cellMaskOf({ type: 'null' });
  const rule = value && ruleFor(value, masked);
  const of = maskedAs(value && isJson(catalog, value) ? { ...column, json: true } : column);
  if (rule) {
    if (!of) return cellMaskOf({ type: 'null' });
    const options = { mode: modeOf(rule.mask), key, entity: rule.entity };
    // We cannot tell which part of a computed value came from the masked column.
    return cellMaskOf({ type: value.kind === 'direct' ? 'column' : 'fixed', of, format: 'text', options });
  }
  const detecting = detectorsOf(masks, key);
  return detecting && cellMaskOf({ type: 'detect', of: of ?? builtIn(TEXT), format: 'text', options: detecting });
}

const TEXT = 25;

/** A document as it is stored. */
function isJson(catalog: Catalog, { sources, kind }: Value): boolean {
  if (kind !== 'direct' || sources.size === 0) return false;
  return [...sources].every(({ schema, table, column }) =>
    catalog.relation(schema, table)?.columns.some((one) => one.name === column && one.type === 'json'),
  );
}

/** Why nothing is known of a value; undefined where it is followed. */
export function whyNotFollowed(value: Value | undefined, catalog: Catalog): string | undefined {
  if (!value) return 'is not followed';
  return value.unknown ?? (isStale(value.sources, catalog) ? 'reads a column that was dropped' : undefined);
}

/** It comes from a column that is gone: which rule was for it is not known any more. */
export function isStale(sources: ReadonlySet<BaseColumn>, catalog: Catalog): boolean {
  for (const one of sources) if (catalog.column(one.schema, one.table, one.column) !== one) return true;
  return false;
}

function ruleFor({ sources, counts }: Value, masked: MaskedColumns): { mask: AppliedMask; entity: string } | undefined {
  if (counts) return undefined;
  let found: { mask: AppliedMask; entity: string } | undefined;
  for (const source of sources) {
    const mask = masked.get(source);
    if (!mask) continue;
    const entity = source.column.toUpperCase();
    found = found ? { mask: stricter(found.mask, mask), entity: found.entity } : { mask, entity };
  }
  return found;
}
