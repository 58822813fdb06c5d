/** Which statements can answer with rows, where their lineage could not be made out. Pure. */
import { type NodeFields, type Node, isFields, strings, text } from '../ast.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { findRoutines } from './calls.js';

/** @param node undefined for a text that could not be read: it may be anything */
export function canReturnRows(analysis: LineageAnalysis, node: Node | undefined): boolean {
  if (!node) return true;
  const { kind, fields } = node;
  switch (kind) {
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      return returningOf(fields).length > 0;
    case 'SelectStmt':
      return intoOf(fields) === undefined;
    case 'CopyStmt':
      return fields['is_from'] !== true && fields['filename'] === undefined && fields['is_program'] !== true;
    case 'FetchStmt':
      return fields['ismove'] !== true;
    case 'ExecuteStmt': {
      const prepared = analysis.session.overlay.prepared.get(text(fields, 'name'));
      return prepared === undefined || canReturnRows(analysis, prepared.query);
    }
    case 'CallStmt':
      return callsWithOutput(analysis, fields);
    default:
      return !RETURNING_NOTHING.has(kind);
  }
}

/** What RETURNING lists: in a clause of its own since PostgreSQL 18. */
export function returningOf(fields: NodeFields): readonly unknown[] {
  const clause = fields['returningClause'];
  return isFields(clause) ? listOf(clause, 'exprs') : listOf(fields, 'returningList');
}

/** INTO stands in the leftmost arm of a set operation. */
export function intoOf(fields: NodeFields): NodeFields | undefined {
  if (isFields(fields['intoClause'])) return fields['intoClause'];
  return isFields(fields['larg']) ? intoOf(fields['larg']) : undefined;
}

/** A procedure answers with one row where it has OUT or INOUT arguments. */
function callsWithOutput(analysis: LineageAnalysis, { funccall }: NodeFields): boolean {
  const found = findRoutines(analysis, isFields(funccall) ? strings(funccall['funcname']) : []);
  return found.length === 0 || found.some(({ outputs }) => outputs.length > 0);
}

/** Of the statements whose lineage can fail. */
const RETURNING_NOTHING: ReadonlySet<string> = new Set([
  'AlterTableStmt',
  'ClusterStmt',
  'CreateSeqStmt',
  'CreateStmt',
  'CreateTableAsStmt',
  'DeclareCursorStmt',
  'DoStmt',
  'DropStmt',
  'PrepareStmt',
  'RenameStmt',
  'TransactionStmt',
  'TruncateStmt',
  'ViewStmt',
]);
