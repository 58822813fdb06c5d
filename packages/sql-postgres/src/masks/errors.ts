/**
 * Whether a masked value can be in the texts of the errors of a statement. Owns: that question, for one statement and for what
 * runs later in its transaction. Does not own: what then becomes of a text (the protocol), nor where code runs unseen
 * (`catalog/guards.ts`). In doubt it can.
 */
import type { Action, Facts, Resource } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { Edges } from '../catalog/edges.js';
import { CODE_BEHIND_WRITES, type SessionNames, type StatementLineage } from '../lineage/index.js';
import { lastParts } from '../written-names.js';
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
    const names = lastParts(name);
    if (overlay.uncertain !== undefined || names.some((one) => overlay.defined.has(one))) return true;
    return names.some((plain) => {
      const own = overlay.relations.get(plain);
      // Triggers and constraints of the session's own tables are in no catalog, nor is what a view of its own reads.
      if (own && (isChanged || own.view || own.unknown !== undefined || own.written !== undefined)) return true;
      return (
        own?.columns.some(
          ({ value }) => value.unknown !== undefined || [...value.sources].some((one) => masked.has(one)),
        ) === true || catalog.relationsNamed(plain).some(({ oid }) => tells.has(oid))
      );
    });
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
  readonly read: Reaching;
  readonly written: Reaching;
}

const known = new WeakMap<MaskedColumns, Telling>();

/** The relations whose rows or code may get a masked value into an error. */
function tellingOf(masked: MaskedColumns, catalog: Catalog): Telling {
  let telling = known.get(masked);
  if (telling) return telling;
  const { guards } = catalog;
  const holding = new Set(Array.from(masked.keys(), ({ relation }) => relation));
  // What is below a table that has a masked column has it too.
  const holds = (oid: number): boolean => {
    const above = new Set([oid]);
    for (const one of above) for (const parent of catalog.relationByOid(one)?.parents ?? []) above.add(parent);
    return [...above].some((one) => holding.has(one));
  };
  const isRead = (oid: number): boolean => guards.onRead.has(oid) || holds(oid);
  const isConverted = (oid: number): boolean =>
    catalog.relationByOid(oid)?.columns.some(({ type }) => catalog.isCheckedByCode(type)) ?? false;
  telling = {
    read: new Reaching(isRead, [guards.read]),
    written: new Reaching(
      (oid) => isRead(oid) || guards.onWrite.has(oid) || isConverted(oid),
      [guards.read, guards.written],
    ),
  };
  known.set(masked, telling);
  return telling;
}

/** Relations from which one that counts is reached. They are looked at when they are asked for. */
class Reaching {
  readonly #counts: (oid: number) => boolean;
  readonly #ways: readonly Edges[];
  readonly #known = new Map<number, boolean>();

  constructor(counts: (oid: number) => boolean, ways: readonly Edges[]) {
    this.#counts = counts;
    this.#ways = ways;
  }

  has(oid: number): boolean {
    let reaches = this.#known.get(oid);
    if (reaches === undefined) this.#known.set(oid, (reaches = this.#reaches(oid)));
    return reaches;
  }

  #reaches(oid: number): boolean {
    const found = new Set([oid]);
    for (const one of found) {
      if (this.#counts(one)) return true;
      for (const way of this.#ways) for (const next of way.from(one)) found.add(next);
    }
    return false;
  }
}
