/**
 * Whether a masked value can be in the texts of the errors of a statement. Owns: that question, for one statement and for what
 * runs later in its transaction. Does not own: what then becomes of a text (the protocol), nor where code runs unseen
 * (`catalog/guards.ts`). In doubt it can.
 */
import type { Action, Facts, Resource } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { Relation } from '../catalog/objects.js';
import { CODE_BEHIND_WRITES, type SessionNames, type StatementLineage } from '../lineage/index.js';
import type { MaskedColumns } from './columns.js';

/** Whether the error of a text may hold a masked value. @param lineage undefined where the text was not followed */
export function mayTell(
  lineage: readonly StatementLineage[] | undefined,
  { actions }: Facts,
  masked: MaskedColumns,
  catalog: Catalog,
  { overlay }: SessionNames,
): boolean {
  if (masked.size === 0) return false;
  if (!lineage) return true;
  const telling = tellingOf(masked, catalog);
  const changes = actions.some(({ effects }) => effects.some((effect) => CHANGING.has(effect)));
  const tells = changes ? telling.written : telling.read;
  if (catalog.guards.onDefinition && changes && !lineage.every(({ statement }) => OF_ROWS.has(statement))) return true;
  if (changes && overlay.defined.has(CODE_BEHIND_WRITES)) return true;
  if (actions.some(runsCode)) return true;
  return (
    lineage.some(
      ({ statement, relations, effects, runsUnread }) =>
        runsUnread === true ||
        [...relations].some((oid) => tells.has(oid)) ||
        effects.some(({ type }) => type === 'code' || type === 'uncertain') ||
        (changes && !hasOwnTables(statement)),
    ) ||
    actions.some(({ resources }) =>
      resources.some((resource) => resource.type === 'table' && tellsOf(resource, changes)),
    )
  );

  function tellsOf({ name }: Resource, isChanged: boolean): boolean {
    const plain = name.slice(name.lastIndexOf('.') + 1);
    if (overlay.uncertain !== undefined || overlay.defined.has(plain)) return true;
    const own = overlay.relations.get(plain);
    // Triggers and constraints of the session's own tables are in no catalog, nor is what a view of its own reads.
    if (own && (isChanged || own.view || own.unknown !== undefined || own.written !== undefined)) return true;
    return (
      own?.columns.some(
        ({ value }) => value.unknown !== undefined || [...value.sources].some((one) => masked.has(one)),
      ) === true || named(catalog, name).some(({ oid }) => tells.has(oid))
    );
  }
}

/**
 * Whether what runs with a statement is its own alone: no deferred constraint or trigger of what came before it in the
 * transaction, and no row of a cursor.
 */
export const runsAlone = (lineage: readonly StatementLineage[] | undefined): boolean =>
  lineage !== undefined && lineage.every(({ statement }) => ALONE.has(statement));

const ALONE: ReadonlySet<string> = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt ExplainStmt CreateStmt CreateTableAsStmt IndexStmt ViewStmt
   DropStmt RenameStmt CommentStmt GrantStmt CreateSchemaStmt CreateSeqStmt CreateEnumStmt CompositeTypeStmt`.split(
    /\s+/,
  ),
);

/** What brings code into the database runs none of it. Calls are followed elsewhere (lineage), but not those in definitions. */
const runsCode = ({ effects, unknownFunctions }: Action): boolean =>
  effects.includes('define') ? unknownFunctions !== undefined : effects.includes('unknown') && !unknownFunctions;

const DEFINING: ReadonlySet<string> = new Set(['define', 'destroy', 'grant']);
const CHANGING: ReadonlySet<string> = new Set(['write', ...DEFINING]);

/** They run no event trigger, but as CREATE TABLE AS. */
const OF_ROWS: ReadonlySet<string> = new Set(
  'InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt TransactionStmt VariableSetStmt'.split(' '),
);

/** A change says by the tables that it names what it works on, or it works on no rows. */
const hasOwnTables = (statement: string): boolean => OF_TABLES.has(statement) || OF_NO_ROWS.has(statement);
const OF_TABLES: ReadonlySet<string> = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt ExplainStmt CreateStmt CreateTableAsStmt IndexStmt
   AlterTableStmt RefreshMatViewStmt TruncateStmt LockStmt ExecuteStmt DeclareCursorStmt PrepareStmt`.split(/\s+/),
);
const OF_NO_ROWS: ReadonlySet<string> = new Set(
  `AlterEnumStmt AlterObjectSchemaStmt AlterOwnerStmt AlterRoleStmt AlterSeqStmt CheckPointStmt CommentStmt
   CompositeTypeStmt CreateDomainStmt CreateEnumStmt CreateFunctionStmt CreatePolicyStmt CreateRangeStmt CreateRoleStmt
   CreateSchemaStmt CreateSeqStmt CreateTrigStmt DropRoleStmt DropStmt GrantRoleStmt GrantStmt RenameStmt RuleStmt
   TransactionStmt VariableSetStmt VariableShowStmt ViewStmt`.split(/\s+/),
);

interface Telling {
  readonly read: ReadonlySet<number>;
  readonly written: ReadonlySet<number>;
}

const known = new WeakMap<MaskedColumns, Telling>();

/** The relations whose rows or code may get a masked value into an error. */
function tellingOf(masked: MaskedColumns, catalog: Catalog): Telling {
  let telling = known.get(masked);
  if (telling) return telling;
  const { guards } = catalog;
  // What is below a table that has a masked column has it too.
  const holding = new Set(Array.from(masked.keys(), ({ relation }) => relation));
  const children = catalog.relations.flatMap(({ oid, parents }) =>
    parents.map((parent): [number, number] => [oid, parent]),
  );
  const read = closed([...closed([...holding], children), ...guards.onRead], guards.read);
  const converted = catalog.relations.filter(({ columns }) =>
    columns.some(({ type }) => catalog.isCheckedByCode(type)),
  );
  const written = closed(
    [...read, ...guards.onWrite, ...converted.map(({ oid }) => oid)],
    [...guards.read, ...guards.written],
  );
  known.set(masked, (telling = { read, written }));
  return telling;
}

/** All from where these are reached. */
function closed(oids: readonly number[], edges: readonly (readonly [number, number])[]): Set<number> {
  const above = new Map<number, number[]>();
  for (const [from, to] of edges) {
    const list = above.get(to);
    if (list) list.push(from);
    else above.set(to, [from]);
  }
  const found = new Set(oids);
  for (const oid of found) for (const from of above.get(oid) ?? []) found.add(from);
  return found;
}

/** Relations that a name may mean: with a dot in it, it may be qualified or not. */
function named(catalog: Catalog, name: string): readonly Relation[] {
  let byName = catalog.derived.get('relations by name') as Map<string, Relation[]> | undefined;
  if (!byName) {
    byName = new Map();
    for (const relation of catalog.relations) {
      const list = byName.get(relation.name);
      if (list) list.push(relation);
      else byName.set(relation.name, [relation]);
    }
    catalog.derived.set('relations by name', byName);
  }
  const found = [...(byName.get(name) ?? [])];
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1))
    found.push(...(byName.get(name.slice(at + 1)) ?? []));
  return found;
}
