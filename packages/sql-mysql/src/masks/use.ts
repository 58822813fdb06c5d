/** What a statement does with masked columns besides showing them: conditions on them, and where their values go. Pure. */
import type { Facts, MaskedUse } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn } from '../catalog/objects.js';
import type { FlowTarget, StatementLineage, Value } from '../lineage/index.js';
import { type MaskedColumns, isStale } from './columns.js';
import { unsureOf } from './hidden.js';

export interface UseWithCounts {
  readonly use: MaskedUse;
  /** With how many values it compares masked columns, by `schema.table.column`. */
  readonly compared: ReadonlyMap<string, number>;
  /** Where `use` stands for what is not known: what that is, and what helps, in sentences. */
  readonly unsure?: { readonly hint: string };
}

const NO_USE: MaskedUse = { asked: [], moved: [] };
const NOTHING_USED: UseWithCounts = { use: NO_USE, compared: new Map() };

/** With how many values one statement may compare a masked column and still be said to ask for whole values. */
const MAX_COMPARED_VALUES = 100;

export const isHit = (sources: ReadonlySet<BaseColumn>, masked: MaskedColumns, catalog: Catalog): boolean => {
  for (const column of masked.keys()) if (sources.has(column)) return true;
  return masked.size > 0 && isStale(sources, catalog);
};

const isSecret = (value: Value, masked: MaskedColumns, catalog: Catalog): boolean =>
  value.unknown !== undefined || isHit(value.sources, masked, catalog);

/** It looks at something masked, or nobody knows what it looks at. */
function touches(lineage: StatementLineage, masked: MaskedColumns, catalog: Catalog): boolean {
  const { outputs, each, predicates, conditionsOnUnknown, flows, rows, unknown, looked } = lineage;
  if (unknown !== undefined || conditionsOnUnknown.length > 0) return true;
  const values = [...outputs, ...(each ? [each] : []), ...flows.map(({ value }) => value), ...rows, looked];
  return (
    values.some((value) => isSecret(value, masked, catalog)) || predicates.some(({ column }) => masked.has(column))
  );
}

/** What a statement has to do with masked columns. */
export interface Concern {
  readonly used: UseWithCounts;
  /** It looks at something masked, at a table with such a column, or nobody knows at what. */
  readonly isSecret: boolean;
}

interface KnownConcern {
  readonly masked: MaskedColumns;
  readonly facts: Facts;
  readonly concern: Concern;
}

const concerns = new WeakMap<StatementLineage, KnownConcern>();

/** The same for the same lineage, columns and facts. `lineage`: undefined where nothing is known of the text. */
export function concernOf(
  lineage: StatementLineage | undefined,
  masked: MaskedColumns,
  catalog: Catalog,
  facts: Facts,
): Concern {
  if (!lineage) return { used: unknownUse(facts, masked), isSecret: masked.size > 0 };
  const known = concerns.get(lineage);
  if (known?.masked === masked && known.facts === facts) return known.concern;
  const used = useOf(lineage, masked, catalog, facts);
  const isSecret = masked.size > 0 && (touches(lineage, masked, catalog) || touchesTable(facts, masked));
  concerns.set(lineage, { masked, facts, concern: { used, isSecret } });
  return { used, isSecret };
}

function useOf(lineage: StatementLineage, masked: MaskedColumns, catalog: Catalog, facts: Facts): UseWithCounts {
  if (masked.size === 0) return NOTHING_USED;
  const asked = new Set<string>();
  const moved = new Set<string>();
  const compared = new Map<string, number>();
  const why = lineage.unknown ?? lineage.conditionsOnUnknown[0];
  // Nobody knows which conditions stand in what could not be followed, nor what they are on.
  if (lineage.conditionsOnUnknown.length > 0 || (lineage.unknown !== undefined && reads(facts))) asked.add('other');
  if (lineage.unknown !== undefined && writes(facts)) moved.add('unknown');
  for (const { column, kind, values } of lineage.predicates) {
    if (!masked.has(column) && !isStale(new Set([column]), catalog)) continue;
    asked.add(kind === 'other' ? 'other' : 'equality');
    if (values > 0) compared.set(column.name, (compared.get(column.name) ?? 0) + values);
  }
  for (const { target, value } of lineage.flows) {
    if (!isSecret(value, masked, catalog)) continue;
    // Where it stays under a mask, and in tables that the session's own lineage follows, it has not got away.
    if (!(target.type === 'table' && stays(target, value, masked, catalog))) moved.add(target.type);
    // Under a mask it shows whether a value is NULL.
    else if (!target.temporary && value.kind !== 'direct' && !target.missingAsBefore) asked.add('other');
  }
  // So many values say more than whether one is there: where in a range it is, or all of a short one.
  if ([...compared.values()].some((values) => values > MAX_COMPARED_VALUES)) asked.add('other');
  if (asked.size + moved.size === 0) return { use: NO_USE, compared };
  const use = { asked: [...asked], moved: [...moved] };
  return { use, compared, ...(why !== undefined && { unsure: unsureOf(why) }) };
}

function stays(
  { temporary, bases }: Extract<FlowTarget, { type: 'table' }>,
  value: Value,
  masked: MaskedColumns,
  catalog: Catalog,
): boolean {
  if (temporary) return true;
  if (!bases.some((base) => masked.has(base))) return false;
  // A mask leaves the keys of a document as they are, and other values may become such.
  if (!bases.some((base) => isDocument(base, catalog))) return true;
  return ![...masked.keys()].some(
    (column) =>
      value.sources.has(column) && !bases.includes(column) && (value.kind !== 'direct' || !isDocument(column, catalog)),
  );
}

const isDocument = (column: BaseColumn, catalog: Catalog): boolean =>
  catalog.relation(column.schema, column.table)?.columns.find(({ base }) => base === column)?.type === 'json';

/** What a text that is not followed may do: any condition on whatever it reads, and move it to wherever it writes. */
function unknownUse(facts: Facts, masked: MaskedColumns): UseWithCounts {
  if (masked.size === 0 || !reads(facts)) return NOTHING_USED;
  return { use: { asked: ['other'], moved: writes(facts) ? ['unknown'] : [] }, compared: new Map() };
}

/** Whether it reads anything that a mask could be for. */
const reads = ({ actions }: Facts): boolean =>
  actions.some(({ resources }) =>
    resources.some(({ type, access }) => (type === 'table' || type === 'function') && access !== 'write'),
  );

const writes = ({ actions }: Facts): boolean =>
  actions.some(({ effects }) => effects.some((effect) => effect !== 'read'));

/** A row that a constraint rejects is in the error, whichever of its columns the statement names. */
function touchesTable({ actions }: Facts, masked: MaskedColumns): boolean {
  const tables = new Set([...masked.keys()].map(({ table }) => table.toLowerCase()));
  return actions.some(({ resources }) =>
    resources.some(({ type, name }) => {
      const written = name.toLowerCase();
      // A dot may stand in a name, or before one.
      return type === 'table' && [...tables].some((table) => written === table || written.endsWith(`.${table}`));
    }),
  );
}
