/**
 * Statements behind which the session's settings may hold anything, or its names mean something else: code that nobody reads runs
 * with them, and may call set_config. Owns: which statements those are. Does not own: where there is such code
 * (`catalog/setting-code.ts`), nor what a session is afterwards (`session.ts`). In doubt it is one. Pure.
 */
import { type Node, isFields } from '../ast.js';
import type { LineageAnalysis } from './analysis.js';
import { CODE_BEHIND_WRITES } from './other-definitions.js';

/** What such a statement does: a phrase. */
export const KEEPS = 'runs code of the database that may have kept something in a setting';

export interface StatementRead {
  /** All that it reads and changes is in the analysis. */
  readonly isFollowed: boolean;
  /** It calls code that nobody has read, by its name. */
  readonly runsUnread: boolean;
}

/**
 * `code`: it may have done anything else to the session as well; `kept`: a definition, which computes at once what the table is to have, or
 * what this transaction has bound to a table itself, so that only what settings hold is not known.
 */
export function keptBy(
  { catalog, session, relations, changed, changesOthers }: LineageAnalysis,
  node: Node | undefined,
  { isFollowed, runsUnread }: StatementRead,
): 'code' | 'kept' | undefined {
  const { defined } = session.overlay;
  const { exists, onRead, onWrite, onDefinition, names } = catalog.guards.settingCode;
  if (!node || KEEPING_NOTHING.has(node.kind)) return undefined;
  const isDefinition = !OF_ROWS.has(node.kind);
  if (!isDefinition && !exists && defined.size === 0) return undefined;
  if (!isDefinition) {
    if ([...relations].some((oid) => onRead.has(oid)) || [...changed].some((oid) => onWrite.has(oid))) return 'code';
    if ((changesOthers && onWrite.size > 0) || (!isFollowed && onRead.size + onWrite.size > 0)) return 'code';
    // What this transaction has bound to a table is in no catalog of ours.
    const isChange = changesOthers || changed.size > 0;
    return !isFollowed || (isChange && defined.has(CODE_BEHIND_WRITES)) ? 'kept' : undefined;
  }
  const named = new Set<string>();
  collect(node.fields, named);
  if (named.has(SET_CONFIG)) return 'kept';
  const isRun = onDefinition || runsUnread || OF_ALL.has(node.kind) || [...named].some((name) => names.has(name));
  return exists && isRun ? 'kept' : undefined;
}

const SET_CONFIG = 'set_config';

/** All names in a tree, in lower case, and constants that could be some. */
function collect(value: unknown, named: Set<string>): void {
  if (typeof value === 'string') named.add(value.toLowerCase());
  else if (Array.isArray(value)) for (const one of value) collect(one, named);
  else if (isFields(value)) for (const part of Object.values(value)) collect(part, named);
}

const OF_ROWS: ReadonlySet<string> = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt ExplainStmt ExecuteStmt DeclareCursorStmt FetchStmt`.split(
    ' ',
  ),
);
/** They may compute what belongs to tables that they do not name. */
const OF_ALL: ReadonlySet<string> = new Set(['ClusterStmt', 'ReindexStmt', 'VacuumStmt']);
/** They run no code of a table, or an effect of their own says that code has run. */
const KEEPING_NOTHING: ReadonlySet<string> = new Set(
  `CallStmt CheckPointStmt ClosePortalStmt ConstraintsSetStmt DeallocateStmt DiscardStmt DoStmt ListenStmt LockStmt NotifyStmt PrepareStmt
   TransactionStmt UnlistenStmt VariableSetStmt VariableShowStmt`.split(/\s+/),
);
