/**
 * What a text changes for the commands behind it, as far as the gateway itself has to know: `sluice.hold`, and whether names may
 * mean something else. Does not own: what masks follow of a session (masks/session.ts).
 */
import type { Action, SessionChange } from '@sluice/contract';
import { type NodeFields, type Node, constant, isFields, text } from './ast.js';

/**
 * `SET sluice.hold = fail`: a program that cannot wait has its held statements refused at once, with the number of the
 * request; `wait` and RESET take it back. The target keeps the setting like any other with a dot in its name, so SHOW works.
 */
const HOLD = 'sluice.hold';

/** Settings that decide what a name without a schema means, and whose rights count. */
const NAMING: ReadonlySet<string> = new Set(['search_path', 'role', 'session_authorization']);

/** Settings that decide what a text of a time is, and others by which the same condition finds other rows; besides them those of the session's own. */
const OF_TIMES: ReadonlySet<string> = new Set(['timezone', 'datestyle', 'intervalstyle']);
const OF_VALUES: ReadonlySet<string> = new Set([
  'transform_null_equals',
  'array_nulls',
  'default_text_search_config',
  'xmloption',
  'bytea_output',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
]);

/** Undefined: nothing of the kind. */
export function sessionChange(statements: readonly Node[], actions: readonly Action[]): SessionChange | undefined {
  const hold = holdOf(statements);
  const names = statements.some(changesNames) || actions.some(namesUnknown);
  const values = valuesOf(actions);
  if (hold === undefined && !names && !values) return undefined;
  return { ...(hold && { hold }), ...(names && { names }), ...(values && { values }) };
}

function valuesOf(actions: readonly Action[]): SessionChange['values'] {
  const set = actions.flatMap(({ resources }) =>
    resources.flatMap(({ type, name, access }) =>
      type === 'setting' && access === 'write' && name !== HOLD ? [name] : [],
    ),
  );
  if (set.some((name) => OF_VALUES.has(name) || name.includes('.'))) return 'any';
  return set.some((name) => OF_TIMES.has(name)) ? 'times' : undefined;
}

/** Beside other statements the setting is refused: which of them it would hold for depends on what fails. */
function holdOf(statements: readonly Node[]): SessionChange['hold'] {
  const [first] = statements;
  if (statements.length === 1) return first && holdIn(first);
  return statements.some((one) => isAboutHold(one)) ? 'invalid' : undefined;
}

const isAboutHold = ({ kind, fields }: Node): boolean => kind === 'VariableSetStmt' && nameOf(fields) === HOLD;

function holdIn(statement: Node): SessionChange['hold'] {
  const { kind, fields } = statement;
  if (kind === 'DiscardStmt') return fields['target'] === 'DISCARD_ALL' ? 'wait' : undefined;
  if (kind !== 'VariableSetStmt') return undefined;
  if (fields['kind'] === 'VAR_RESET_ALL') return 'wait';
  if (!isAboutHold(statement)) return undefined;
  if (fields['is_local'] === true) return 'invalid';
  if (fields['kind'] !== 'VAR_SET_VALUE') return fields['kind'] === 'VAR_SET_CURRENT' ? 'invalid' : 'wait';
  const values = (Array.isArray(fields['args']) ? fields['args'] : []).map(constant);
  const value = values.length === 1 ? String(values[0]).toLowerCase() : '';
  return value === 'fail' || value === 'wait' ? value : 'invalid';
}

const nameOf = (fields: NodeFields): string => text(fields, 'name').toLowerCase();

/** A statement that gives names another meaning by itself: a search path, a schema that comes or goes, a temporary object. */
function changesNames({ kind, fields }: Node): boolean {
  if (kind === 'DiscardStmt' || kind === 'CreateSchemaStmt' || kind === 'AlterObjectSchemaStmt') return true;
  if (kind === 'VariableSetStmt') return fields['kind'] === 'VAR_RESET_ALL' || NAMING.has(nameOf(fields));
  if ((kind === 'DropStmt' && fields['removeType'] === 'OBJECT_SCHEMA') || fields['renameType'] === 'OBJECT_SCHEMA')
    return true;
  return hasTemporary(fields);
}

/** `relpersistence` "t" of a relation that is made (RangeVar in primnodes.h), or the schema that makes it temporary. */
function hasTemporary(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasTemporary);
  if (!isFields(value)) return false;
  if (value['relpersistence'] === 't' || text(value, 'schemaname').startsWith('pg_temp')) return true;
  return Object.values(value).some(hasTemporary);
}

/** By set_config, or by code that nobody has read. */
const namesUnknown = ({ effects, resources }: Action): boolean =>
  effects.includes('unknown') ||
  resources.some(({ type, name, access }) => type === 'setting' && access === 'write' && NAMING.has(name));
