/**
 * Which tables a definition has changed, where it has changed nothing else that masks know of: then only those are read anew. Owns:
 * for which definitions that is known. Does not own: how they are read (`catalog/tables.ts`), nor what a definition means until its
 * transaction has ended (lineage). Pure.
 */
import type { Facts } from '@sluice/contract';
import { nodeOf, nodesOf } from '../ast.js';
import { CODE_BEHIND_WRITES, type Lineage, type StatementLineage } from '../lineage/index.js';

/** Statements that change the tables that they name or make, and what belongs to those. */
const OF_TABLES: ReadonlySet<string> = new Set(
  `CreateStmt CreateTableAsStmt ViewStmt AlterTableStmt IndexStmt CreateSeqStmt AlterSeqStmt CommentStmt GrantStmt AlterOwnerStmt
   DropStmt`.split(/\s+/),
);
/** DROP of anything else takes away more than relations. */
const DROPS_RELATIONS = /^drop (?:table|view|materialized view|sequence|foreign table|index)$/;

/** Names of tables, with their schema where it is known, and of schemas as `schemaName` has them; undefined: it may have changed more than these. */
export function changedTables(
  lineage: StatementLineage | undefined,
  { actions }: Facts,
  statement: number,
): readonly string[] | undefined {
  const isSchema = lineage?.statement === 'CreateSchemaStmt';
  if (!lineage || !(isSchema || OF_TABLES.has(lineage.statement))) return undefined;
  const named = lineage.effects.map((effect): readonly string[] | 'any' => {
    if (effect.type === 'defined') return effect.names;
    return effect.type === 'relation' && effect.relation.permanent !== undefined ? [effect.relation.name] : [];
  });
  const isFollowed = lineage.effects.some(({ type }) => type === 'defined' || type === 'relation');
  const runsCode = lineage.effects.some(({ type }) => type === 'code' || type === 'uncertain');
  if (!isFollowed || runsCode || named.includes('any')) return undefined;
  const own = actions.filter((action) => action.statement === statement);
  if (lineage.statement === 'DropStmt' && !own.every(({ verb }) => DROPS_RELATIONS.test(verb))) return undefined;
  const names = named.flat();
  if (isSchema) return names;
  // How schemas and functions stand among them.
  if (names.some((name) => name.includes(' ') && name !== CODE_BEHIND_WRITES)) return undefined;
  if (names.length === 0) return [];
  const written = own.flatMap(({ resources }) => resources.flatMap(({ type, name }) => (type === 'table' ? name : [])));
  // What goes with an altered one may have the same name in another schema.
  return lineage.statement === 'CreateStmt' ? inSchemas(names, written) : [...names, ...written.flatMap(withoutSchema)];
}

/** Where a name is written with its schema each time, that one is meant. */
function inSchemas(names: readonly string[], written: readonly string[]): readonly string[] {
  const isQualified = (name: string): boolean => QUALIFIED.test(name) && !name.startsWith('pg_temp');
  const loose = new Set([...names, ...written.flatMap((name) => (isQualified(name) ? [] : withoutSchema(name)))]);
  for (const name of written.filter(isQualified)) {
    const plain = name.slice(name.indexOf('.') + 1);
    const others = written.filter((one) => one !== name && one.endsWith(plain));
    if (others.length === 0) loose.delete(plain);
  }
  return [...loose, ...written.filter(isQualified)];
}

/** Of two parts, neither of which has a dot in it, as it would be in quotes. */
const QUALIFIED = /^[a-z0-9_$]+\.[a-z0-9_$]+$/;

/** With a dot in it, a name may be qualified or not. */
const withoutSchema = (name: string): string[] => name.split('.').map((_, at, parts) => parts.slice(at).join('.'));

/**
 * Nothing but other owners of tables: what a name stands for does not matter to it, nor what has become of the table since it was read.
 * Dumps have one behind each table.
 */
export function changesOwnersAlone({ parse }: Lineage, facts: Facts, text: string): boolean {
  if (!facts.actions.every(({ verb }) => verb === 'alter table')) return false;
  const parsed = parse(text);
  return (
    parsed.ok &&
    parsed.statements.every((raw) => {
      const { kind, fields } = nodeOf(raw['stmt']) ?? { kind: '', fields: {} };
      const commands = nodesOf(fields['cmds']);
      return kind === 'AlterTableStmt' && commands.every((one) => one.fields['subtype'] === 'AT_ChangeOwner');
    })
  );
}

/** Definitions of tables, which show no rows: it matters to them what has become of the tables that they name, and of no other. */
const VERBS: ReadonlySet<string> = new Set([
  'create table',
  'create index',
  'alter table',
  'create sequence',
  'comment',
]);

export const definesTables = ({ actions }: Facts): boolean =>
  actions.length > 0 &&
  actions.every(
    ({ verb, effects }) => VERBS.has(verb) && effects.every((effect) => effect === 'define' || effect === 'grant'),
  );
