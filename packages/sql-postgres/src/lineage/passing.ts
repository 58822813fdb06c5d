/** Which statements change nothing in their session. Pure. */
import { type Node, isFields, strings } from '../ast.js';
import { callFacts } from '../functions.js';

/** Statements that change nothing in their session, unless they make something or call what may. */
const PASSING: ReadonlySet<string> = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt ExplainStmt CopyStmt FetchStmt ExecuteStmt VariableShowStmt`.split(
    ' ',
  ),
);

/** Whether a statement that could not be followed may have made something in its session. */
export const changesSession = ({ kind, fields }: Node): boolean => !PASSING.has(kind) || callsOrMakes(fields);

/** Looks for INTO, and for calls of functions that are not known to be harmless, however deep. */
function callsOrMakes(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(callsOrMakes);
  if (!isFields(value)) return false;
  if (value['intoClause'] !== undefined || value['into'] !== undefined) return true;
  const name = Array.isArray(value['funcname']) ? strings(value['funcname']) : undefined;
  if (name && callFacts(name).reason !== undefined) return true;
  return Object.values(value).some(callsOrMakes);
}
