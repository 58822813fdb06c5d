/**
 * What becomes of a result: the lineage of a statement held against the definitions that the target sends, and a mask for each column.
 * Owns: that. Does not: rows (rows.ts), nor what names mean (lineage).
 */
import { type HiddenColumn, hiddenCountsOf } from '@sluice/analysis';
import {
  type AnswerMeter,
  type AppliedMask,
  type MySqlColumn,
  type PacketEditor,
  Unmasked,
  encodedCell,
  singleByteCollation,
} from '@sluice/contract';
import {
  type ColumnMask,
  POSTGRES_MASKS,
  builtIn,
  cellMaskOf,
  detectorsOf,
  isMarkable,
  isMaskable,
  modeOf,
  stricter,
} from '@sluice/masking';
import type { Catalog } from '../catalog/catalog.js';
import { folded } from '../catalog/objects.js';
import type { SessionNames, StatementLineage, Value } from '../lineage/index.js';
import { unknown } from '../lineage/value.js';
import type { MaskedColumns } from './columns.js';
import { COMPUTED, UNMASKABLE, hiddenColumn, whyNotFollowed } from './hidden.js';
import { rowEditor } from './rows.js';
import { isPlainText, maskedAs } from './values.js';

/** All that decides what becomes of a result. */
export interface EditorRules {
  readonly catalog: Catalog;
  readonly masked: MaskedColumns;
  /** Columns whose values pass and are counted. */
  readonly counted: MaskedColumns;
  /** Nothing passes of which it is not known where it comes from. */
  readonly isGuarded: boolean;
  readonly masks: readonly AppliedMask[];
  readonly key: Uint8Array;
  /** What the session's names mean: temporary tables are in no catalog. */
  readonly session: SessionNames;
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** Of the answer, for what is counted. */
  readonly meter?: AnswerMeter | undefined;
  /** Told of columns that are NULL because nothing better is known of them: the client has to be told, too. */
  readonly announce: (columns: readonly HiddenColumn[]) => void;
  /** The same of single values that their mask could not read. */
  readonly announceUnreadable: () => void;
}

/**
 * The editor for rows that the target has described like this; undefined when they may pass.
 *
 * @param lineage undefined where nothing is known of the statement
 * @throws Unmasked when the description is not that of the result that was judged
 */
export function resultEditor(
  rules: EditorRules,
  lineage: StatementLineage | undefined,
  columns: readonly MySqlColumn[],
  format: 'text' | 'binary',
): PacketEditor | undefined {
  const values = valuesOf(rules, lineage, columns);
  const made = columns.map((column, at) => maskOf(rules, values?.[at], column));
  const masks = made.map(({ mask }, at) => {
    const cell = cellMaskOf(mask);
    const column = columns[at] as MySqlColumn;
    const encoding = isPlainText(column) ? singleByteCollation(column.charset) : undefined;
    return mask && cell && { cell: encoding ? encodedCell(cell, encoding) : cell, weight: weightOf(mask) };
  });
  const editor = rowEditor({ columns, masks, format, count: rules.count, meter: rules.meter });
  if (!editor) return undefined;
  const hidden = made.flatMap((one) => one.hidden ?? []);
  if (hidden.length > 0) rules.announce(hidden);
  let told = false;
  const late: NonNullable<PacketEditor['late']> = () => {
    if (told || !editor.unreadable) return undefined;
    told = true;
    rules.announceUnreadable();
    return { malformed: 1 };
  };
  return {
    nullable: editor.nullable,
    masked: new Set(masks.flatMap((mask, at) => (mask && mask.cell.passes !== true ? [at] : []))),
    rewrite: editor.rewrite,
    runs: editor.runs,
    hidden: hidden.length > 0 ? hiddenCountsOf(hidden) : undefined,
    late,
  };
}

/** How long masks need for a byte, in those that a detector looks at: the same, 16 times as long, or no time. */
function weightOf(mask: ColumnMask): number {
  if (mask.type === 'null' || mask.type === 'fixed') return 0;
  return POSTGRES_MASKS.hashesParts(mask) ? 16 : 1;
}

/** Where the values of each column come from; undefined where that is not known. */
function valuesOf(
  rules: EditorRules,
  lineage: StatementLineage | undefined,
  columns: readonly MySqlColumn[],
): readonly Value[] | undefined {
  if (!lineage) return undefined;
  const { outputs, each, unknown: why } = lineage;
  if (why !== undefined) return columns.map(() => unknown(why));
  if (each) return columns.map(() => each);
  if (outputs.length !== columns.length) {
    throw new Unmasked(`The target describes ${columns.length} columns where the statement has ${outputs.length}.`);
  }
  return columns.map((column, at) => agreed(rules, outputs[at] as Value, column));
}

/**
 * A definition that names a stored column has to name one of the sources. MySQL says of a derived table the table below it with the
 * derived table's own name of the column, so that there it may be another column of that table: its mask counts as well. Of a view in
 * information_schema it names another one there that it is made of.
 */
function agreed({ catalog, session }: EditorRules, value: Value, column: MySqlColumn): Value {
  const { schema, orgTable, orgName, name } = column;
  if (orgTable === '' || orgName === '' || value.unknown !== undefined) return value;
  if (session.temporary.has(catalog.keyOf(schema, orgTable))) return value;
  const base = catalog.column(schema, orgTable, orgName);
  if (!base || value.sources.has(base)) return value;
  const isOfSameTable = [...value.sources].some((one) => one.schema === base.schema && one.table === base.table);
  const isMetadata = isOfMetadata(base) && value.sources.size > 0 && [...value.sources].every(isOfMetadata);
  if (catalog.contents.flavour === 'mysql' && (isOfSameTable || isMetadata))
    return { ...value, sources: new Set([...value.sources, base]) };
  throw new Unmasked(`The target says that column "${name}" comes from elsewhere than the statement does.`);
}

const isOfMetadata = ({ schema }: { readonly schema: string }): boolean => folded(schema) === 'information_schema';

interface ColumnOutcome {
  /** Undefined: its values pass. */
  readonly mask?: ColumnMask | undefined;
  /** It is NULL because nothing better is known of it. */
  readonly hidden?: HiddenColumn | undefined;
}

/** What becomes of a column. */
function maskOf(
  { catalog, masked, counted, isGuarded, masks, key }: EditorRules,
  value: Value | undefined,
  column: MySqlColumn,
): ColumnOutcome {
  const { name } = column;
  const why = isGuarded ? whyNotFollowed(value, catalog) : undefined;
  if (why !== undefined) return { mask: NULL, hidden: hiddenColumn(name, why) };
  const rule = value && ruleFor(value, masked);
  const of = maskedAs(value && isJson(catalog, value) ? { ...column, json: true } : column);
  if (rule) {
    const mode = modeOf(rule.mask);
    const isAsked = mode.type === 'null';
    if (!of) return { mask: NULL, hidden: isAsked ? undefined : { name, ...UNMASKABLE } };
    const options = { mode, key, entity: rule.entity };
    // We cannot tell which part of a computed value came from the masked column.
    const type = value.kind === 'direct' ? 'column' : 'fixed';
    const isMasked = type === 'column' ? isMaskable(of, 'text') : isMarkable(of, 'text');
    const kind = type === 'column' ? UNMASKABLE : COMPUTED;
    const hidden = isAsked || isMasked ? undefined : { name, ...kind };
    return { mask: { type, of, format: 'text', options }, hidden };
  }
  const detecting = detectorsOf(masks, key);
  const found: ColumnMask | undefined = detecting && {
    type: 'detect',
    of: of ?? builtIn(TEXT),
    format: 'text',
    options: detecting,
  };
  const counter = value && ruleFor(value, counted)?.mask.with;
  if (counter?.type !== 'count') return { mask: found };
  const { budgets } = counter;
  const inner = cellMaskOf(found) && found;
  return { mask: { type: 'counted', of, format: 'text', budgets, key, isComputed: value?.kind !== 'direct', inner } };
}

const NULL: ColumnMask = { type: 'null' };
const TEXT = 25;

/** A document as it is stored. */
function isJson(catalog: Catalog, { sources, kind }: Value): boolean {
  if (kind !== 'direct' || sources.size === 0) return false;
  return [...sources].every(({ schema, table, column }) =>
    catalog.relation(schema, table)?.columns.some((one) => one.name === column && one.type === 'json'),
  );
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
