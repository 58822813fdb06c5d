/** Definitions that would take a column away from its mask. Pure. */
import type { Relation } from '../catalog/objects.js';
import type { Lineage } from '../lineage/index.js';
import { type AppliedMask, type Facts, tableOfColumn } from '@sluice/contract';
import type { MaskedColumns } from './columns.js';
import type { Meaning } from './catalogs.js';

type NodeFields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): NodeFields =>
  typeof value === 'object' && value !== null ? (value as NodeFields) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Relations, columns and schemas: what the names in a mask stand for. ALTER INDEX renames tables and views as well. */
const NAMED = new Set(
  'OBJECT_TABLE OBJECT_COLUMN OBJECT_VIEW OBJECT_MATVIEW OBJECT_FOREIGN_TABLE OBJECT_INDEX'.split(' '),
);
/** Rows that stay where they are, but no longer under the parent that the mask names. */
const LEAVING = new Set(['AT_DetachPartition', 'AT_DropInherit']);

/**
 * Whether a text defines masked columns out of the reach of their masks, which go by name: it renames or moves what a mask
 * names, takes a partition or child from a masked parent, or fills another column from a masked table (ALTER ... USING).
 *
 * @param text undefined: it is too long to be read here, and may be all of that if what it does is called so
 */
export function definesAway(
  text: string | undefined,
  { actions }: Facts,
  { catalog, lineage }: Meaning,
  masked: MaskedColumns,
  masks: readonly AppliedMask[],
): boolean {
  const covered = ({ name, columns }: Relation): boolean =>
    columns.some(({ base }) => catalog.roots(base).some((root) => masked.has(root))) ||
    masks.some((mask) => mask.columns.some((pattern) => tableOfColumn(pattern)?.text === name));
  const relations = (node: unknown): readonly Relation[] => {
    const { relname, schemaname } = fieldsOf(node);
    return catalog
      .relationsNamed(String(relname))
      .filter(({ schema }) => schemaname === undefined || schemaname === '' || schemaname === schema);
  };
  if (!actions.some(({ verb }) => verb === 'rename' || verb.startsWith('alter '))) return false;
  const statements = statementsOf(lineage, text);
  if (!statements) return true;
  return statements.some(([kind, node]) => {
    switch (kind) {
      case 'RenameStmt':
        if (node['renameType'] === 'OBJECT_SCHEMA')
          return catalog.relations.some((one) => one.schema === node['subname'] && covered(one));
        return NAMED.has(String(node['renameType'])) && relations(node['relation']).some(covered);
      case 'AlterObjectSchemaStmt':
        return relations(node['relation']).some(covered);
      case 'AlterTableStmt':
        return relations(node['relation']).some(covered) && list(node['cmds']).some(changesRows);
      default:
        return false;
    }
  });
}

function changesRows(command: unknown): boolean {
  const { subtype, name, def } = fieldsOf(fieldsOf(command)['AlterTableCmd']);
  if (LEAVING.has(String(subtype))) return true;
  const using = subtype === 'AT_AlterColumnType' ? fieldsOf(fieldsOf(def)['ColumnDef'])['raw_default'] : undefined;
  return using !== undefined && columnsIn(using).some((column) => column !== name);
}

/** The last part of each column reference; undefined for a star. */
function columnsIn(node: unknown): (string | undefined)[] {
  if (Array.isArray(node)) return node.flatMap(columnsIn);
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => {
    if (key !== 'ColumnRef') return columnsIn(value);
    const { sval, str } = fieldsOf(fieldsOf(list(fieldsOf(value)['fields']).at(-1))['String']);
    return [typeof sval === 'string' ? sval : typeof str === 'string' ? str : undefined];
  });
}

/** Undefined where it is not read. */
function statementsOf(lineage: Lineage, text: string | undefined): [string, NodeFields][] | undefined {
  const parsed = text === undefined ? undefined : lineage.parse(text);
  if (!parsed?.ok) return undefined;
  return parsed.statements.flatMap((raw) =>
    Object.entries(fieldsOf(raw['stmt'])).map(([kind, node]): [string, NodeFields] => [kind, fieldsOf(node)]),
  );
}
