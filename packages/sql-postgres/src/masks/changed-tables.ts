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
  'CreateStmt AlterTableStmt IndexStmt CreateSeqStmt AlterSeqStmt CommentStmt GrantStmt AlterOwnerStmt'.split(' '),
);

/** Names of tables, in whatever schema, and of schemas as `schemaName` has them; undefined: it may have changed more than these. */
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
  if (!isFollowed || named.includes('any')) return undefined;
  const names = named.flat();
  if (isSchema) return names;
  // How schemas and functions stand among them.
  if (names.some((name) => name.includes(' ') && name !== CODE_BEHIND_WRITES)) return undefined;
  if (names.length === 0) return [];
  const written = actions
    .filter((action) => action.statement === statement)
    .flatMap(({ resources }) => resources.flatMap(({ type, name }) => (type === 'table' ? name : [])));
  return [...names, ...written.flatMap(withoutSchema)];
}

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
