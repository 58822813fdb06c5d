/**
 * The masks of a result, from its description and its lineage. Owns: that both have to agree. Does not: frame rows
 * (protocols/postgres).
 */
import type { Catalog } from '../catalog/catalog.js';
import type { Output, StatementLineage } from '../lineage/index.js';
import {
  type AnswerMeter,
  type AppliedMask,
  type CopyMasks,
  type HiddenColumns,
  type PostgresColumn,
  type ResultDescription,
  type ResultMasks,
  type RowRoom,
  Unmasked,
} from '@sluice/contract';
import {
  type ColumnMask,
  ColumnMasks,
  type WireFormat,
  POSTGRES_MASKS,
  type PgType,
  builtIn,
  cellMaskOf,
  detectorsOf,
  modeOf,
} from '@sluice/masking';
import type { Meaning } from './catalogs.js';
import { type MaskedColumns, ruleFor } from './columns.js';
import { copyFormat } from './copy.js';
import type { HiddenColumn } from '@sluice/analysis';
import { hiddenBy, whyNotFollowed } from './hidden.js';
import { byParts } from './parts.js';
import { typeOf } from './types.js';

/** All that decides what becomes of a result. */
export interface EditorRules {
  readonly meaning: Meaning;
  readonly masked: MaskedColumns;
  /** Columns whose values pass and are counted. */
  readonly counted: MaskedColumns;
  /** Nothing passes of which it is not known where it comes from. */
  readonly isGuarded: boolean;
  readonly masks: readonly AppliedMask[];
  readonly key: Uint8Array;
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** Of the answer, for what is counted. */
  readonly meter?: AnswerMeter | undefined;
  readonly room: RowRoom;
  /** The session has tables of its own, which are not in the catalog. */
  readonly temporary: boolean;
  /** Tables that have columns, in this transaction, which are not in the catalog. */
  readonly altered: ReadonlySet<number>;
  /** Why nothing is known of a statement that has no lineage: a phrase. */
  readonly unfollowed: string;
  /** Told which columns of a result are NULL because nothing better is known of them. */
  readonly announce: (columns: readonly HiddenColumn[]) => HiddenColumns;
  /** Told that single values of a result were of no form that their mask reads. */
  readonly announceUnreadable: () => HiddenColumns;
}

/**
 * The masks of rows that the target has described like this; undefined when they may pass.
 *
 * @throws Unmasked when the description is not that of the result that was judged
 */
export function rowMasks(
  rules: EditorRules,
  lineage: StatementLineage | undefined,
  result: ResultDescription,
): ResultMasks | undefined {
  if (result.dialect !== 'postgres')
    throw new Unmasked('The target describes its result in the terms of another protocol.');
  const { columns } = result;
  const outputs = agreed(rules, lineage, columns);
  const masks = columns.map((column, at) =>
    maskOf(rules, outputs?.[at], typeOf(rules.meaning.catalog, column.type, column.typmod), column.format),
  );
  if (masks.every((mask) => mask === undefined)) return undefined;
  return announced(
    rules,
    masks,
    hiddenIn(rules, lineage, outputs, masks, (at) => columns[at]?.name),
  );
}

/** The same for COPY TO STDOUT. The target says nothing of types: what passes is of those that are certain by the statement. */
export function copyMasks(
  rules: EditorRules,
  lineage: StatementLineage | undefined,
  text: string,
  statement: number,
  formats: readonly WireFormat[],
): CopyMasks | undefined {
  const outputs = lineage?.unknown === undefined ? lineage?.outputs : undefined;
  if (outputs && outputs.length !== formats.length) throw mismatch(outputs.length, formats.length);
  const masks = formats.map((format, at) => {
    const output = outputs?.[at];
    return maskOf(rules, output, output && typeOfOutput(rules, output), format);
  });
  if (masks.every((mask) => mask === undefined)) return undefined;
  const names = outputs?.map(({ name }) => name) ?? formats.map(() => '');
  const format = copyFormat(rules.meaning.lineage, text, statement, names);
  const hidden = hiddenIn(rules, lineage, outputs, masks, (at) => outputs?.[at]?.name);
  return Object.assign(announced(rules, masks, hidden), { format });
}

/** The masks, and what the client is told of them. */
function announced(
  { count, room, meter, announceUnreadable }: EditorRules,
  columns: readonly (ColumnMask | undefined)[],
  hidden: HiddenColumns | undefined,
): ResultMasks {
  const masks = new ColumnMasks(columns, { maker: POSTGRES_MASKS, room, count, meter });
  let said = false;
  const late = (): HiddenColumns | undefined => {
    if (said || !masks.unreadable) return undefined;
    said = true;
    return announceUnreadable();
  };
  return Object.assign(masks, { hidden, late });
}

/** The columns that are NULL because nothing better is known of them. */
function hiddenIn(
  { meaning, unfollowed, announce }: EditorRules,
  lineage: StatementLineage | undefined,
  outputs: readonly Output[] | undefined,
  masks: readonly (ColumnMask | undefined)[],
  nameOf: (at: number) => string | undefined,
): HiddenColumns | undefined {
  const hidden = masks.flatMap((mask, at): HiddenColumn[] => {
    if (!mask) return [];
    const why = whyNotFollowed(outputs?.[at], meaning.catalog, lineage?.unknown ?? lineage?.answered ?? unfollowed);
    const column = hiddenBy(mask, nameOf(at) ?? String(at + 1), why);
    return column ? [column] : [];
  });
  return hidden.length > 0 ? announce(hidden) : undefined;
}

/** The type that the target would describe; undefined where another one is possible. */
function typeOfOutput({ meaning: { catalog } }: EditorRules, output: Output): PgType | undefined {
  const { type = 0, stored, limited } = output;
  if (!stored || type === 0 || output.unknown !== undefined) return undefined;
  return typeOf(catalog, type, limited?.type === type ? limited.typmod : -1);
}

/** The outputs, if they are known and the target describes the same. */
function agreed(
  { meaning: { catalog }, temporary, altered }: EditorRules,
  lineage: StatementLineage | undefined,
  columns: readonly PostgresColumn[],
): readonly Output[] | undefined {
  if (!lineage || lineage.unknown !== undefined || lineage.answered !== undefined) return undefined;
  const { outputs } = lineage;
  if (outputs.length !== columns.length) throw mismatch(outputs.length, columns.length);
  for (const [at, { name, table, attribute, type }] of columns.entries()) {
    const output = outputs[at] as Output;
    if (output.stored && output.unknown === undefined && described(catalog, output.type ?? 0) !== type) {
      throw new Unmasked(`The target says that column "${name}" is of another type than the statement does.`);
    }
    const relation = table === 0 ? undefined : catalog.relationByOid(table);
    if (table !== 0 && !relation && !temporary) {
      throw new Unmasked(`The target says that column "${name}" comes from a table that was not there before.`);
    }
    if (!relation || attribute <= 0 || output.unknown !== undefined) continue;
    const base = relation.columns.find((one) => one.base.attnum === attribute)?.base;
    if (!base && altered.has(relation.oid)) continue;
    if (!base || !catalog.roots(base).every((root) => output.sources.has(root))) {
      throw new Unmasked(`The target says that column "${name}" comes from elsewhere than the statement does.`);
    }
  }
  return outputs;
}

/** The type that a description has: of a domain, what it is made of (getBaseTypeAndTypmod in printtup.c). */
function described(catalog: Catalog, oid: number): number {
  let type = catalog.typeByOid(oid);
  while (type?.kind === 'd') type = catalog.typeByOid(type.base);
  return type?.oid ?? oid;
}

const mismatch = (expected: number, found: number): Unmasked =>
  new Unmasked(`The target describes ${found} columns where the statement has ${expected}.`);

/** What becomes of a column: undefined, it passes. */
export function maskOf(
  { meaning, masked, counted, isGuarded, masks, key }: EditorRules,
  output: Output | undefined,
  type: PgType | undefined,
  format: WireFormat,
): ColumnMask | undefined {
  if (isGuarded && whyNotFollowed(output, meaning.catalog, '') !== undefined) return NULL;
  const rule = output && ruleFor(output, masked);
  if (rule) {
    const { mask, entity } = rule;
    if (!type) return NULL;
    if (output.plan) return { type: 'plan', of: type, format, plan: output.plan };
    const parts = byParts(
      { catalog: meaning.catalog, masked, key, detecting: detectorsOf(masks, key) },
      output,
      type,
      format,
    );
    if (parts) return withCounting({ counted, masked, key }, output, { of: type, format, inner: parts });
    const options = { mode: modeOf(mask), key, entity };
    // We cannot tell which part of a computed value came from the masked column, nor what its absence says.
    return { type: output.kind === 'direct' ? 'column' : 'fixed', of: type, format, options };
  }
  const detecting = detectorsOf(masks, key);
  const found: ColumnMask | undefined = detecting && {
    type: 'detect',
    of: type ?? (format === 'text' ? TEXT : UNKNOWN),
    format,
    options: detecting,
  };
  const inner = cellMaskOf(found) && found;
  return output ? withCounting({ counted, masked, key }, output, { of: type, format, inner }) : inner;
}

/** The same where a budget counts what the value comes from, and no mask hides that. */
function withCounting(
  { counted, masked, key }: Pick<EditorRules, 'counted' | 'masked' | 'key'>,
  output: Output,
  { of, format, inner }: Pick<Extract<ColumnMask, { type: 'counted' }>, 'of' | 'format' | 'inner'>,
): ColumnMask | undefined {
  if (counted.size === 0) return inner;
  const shown = new Set([...output.sources].filter((source) => !masked.has(source)));
  const counter = ruleFor({ ...output, sources: shown }, counted)?.mask.with;
  if (counter?.type !== 'count') return inner;
  if (output.plan) return { type: 'plan', of: of ?? TEXT, format, plan: output.plan };
  return { type: 'counted', of, format, budgets: counter.budgets, key, isComputed: output.kind !== 'direct', inner };
}

const NULL: ColumnMask = { type: 'null' };
const TEXT = builtIn(25);
const UNKNOWN: PgType = { oid: 0, kind: 'pseudo' };
