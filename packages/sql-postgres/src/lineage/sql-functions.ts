/**
 * Functions in LANGUAGE sql: their bodies are read like any other query, with the arguments in place. Does not: decide whose
 * function it is (calls.ts). Pure.
 */
import { type NodeFields, isFields, nodeOf } from '../ast.js';
import type { Routine } from '../catalog/objects.js';
import { BEHIND_DEFINITION, LineageAnalysis, Unread, Unsure, listOf } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { expression } from './expression.js';
import { certain } from './overloads.js';
import { readQuery } from './query.js';
import { fitting } from './results.js';
import { EMPTY_SCOPE, type Scope } from './scope.js';
import type { SessionNames } from './session.js';
import { splitSearchPath } from './settings.js';
import { inDeclaredType, typeTag } from './types.js';
import { type Column, NOTHING, type Value, computed, hasFields, rowOf, unknown, withoutParts } from './value.js';

export interface SqlResult {
  readonly value: Value;
  readonly columns?: readonly Column[];
}

/** What a call of a function with a body in SQL returns. */
export function callSql(analysis: LineageAnalysis, routine: Routine, call: FunctionCall): SqlResult {
  if (routine.unread) throw new Unread(`${routine.schema}.${routine.name}`);
  const sources = computed([...call.args, ...call.others]);
  const reason = refusal(routine, call);
  if (reason !== undefined) {
    return unread(analysis, call, sources, reason);
  }
  try {
    return shaped(analysis, routine, readBody(analysis, routine, call));
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return unread(analysis, call, sources, error.message);
  }
}

function unread(analysis: LineageAnalysis, call: FunctionCall, args: Value, why: string): SqlResult {
  const reason = `calls ${call.name.join('.')}, which ${why}`;
  analysis.moves({ type: 'function', name: call.name.join('.') }, args);
  analysis.effects.push({ type: 'code', reason });
  return { value: unknown(reason, args.sources) };
}

/** Why the body of a function is not read; undefined: it is. */
export function refusal(routine: Routine, call: FunctionCall): string | undefined {
  if (fitting([routine], call.args.length).length === 0) return 'takes other arguments';
  if (routine.kind !== 'f') return 'is no plain function';
  if (routine.variadic || call.variadic) return 'takes any number of arguments';
  const others = routine.settings.filter((setting) => !setting.startsWith('search_path='));
  if (others.some((setting) => /^(role|session_authorization)=/.test(setting))) return 'runs as another role';
  return undefined;
}

/** The columns of its last statement. */
function readBody(analysis: LineageAnalysis, routine: Routine, call: FunctionCall): readonly Column[] {
  // One that calls itself twice is read twice as often at each depth.
  analysis.spend();
  analysis.readsDefinition(routine.body?.text ?? '');
  const { session } = analysis;
  // The server keeps the columns of a body in the standard's form, whatever their names have become since it was spelled.
  if (routine.body?.standard === true && [...session.overlay.relations.values()].some(({ stored }) => stored))
    throw new Unsure(BEHIND_DEFINITION);
  const inner = new LineageAnalysis(analysis.catalog, sessionOf(analysis, routine), analysis);
  const scope: Scope = { ...EMPTY_SCOPE, argument: argumentsOf(analysis, routine, call) };
  let columns: readonly Column[] = [];
  for (const statement of statementsOf(inner, routine)) {
    inner.reads(statement.fields);
    columns =
      statement.kind === 'ReturnStmt'
        ? returned(inner, scope, statement.fields)
        : readQuery(inner, scope, { [statement.kind]: statement.fields });
  }
  analysis.include(inner);
  return columns;
}

/** The session as it is for the body of a function. @throws Unsure where the names in it mean what they do for another role */
export function sessionOf({ session }: LineageAnalysis, routine: Routine): SessionNames {
  const path = routine.settings.find((setting) => setting.startsWith('search_path='));
  const fixed = routine.body?.standard === true ? '' : path?.slice('search_path='.length);
  if (routine.securityDefiner && fixed === undefined && session.searchPath.includes('$user')) {
    throw new Unsure('runs with the schemas of another role');
  }
  return fixed === undefined ? session : { ...session, searchPath: splitSearchPath(fixed) };
}

const returned = (analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Column[] => [
  { name: '', value: expression(analysis, scope, fields['returnval']) },
];

function statementsOf({ catalog }: LineageAnalysis, { body }: Routine): { kind: string; fields: NodeFields }[] {
  const { text = '', standard = false } = body ?? {};
  // A body in the standard's form is part of CREATE FUNCTION and no statement by itself.
  const parsed = catalog.parse.definition(standard ? `CREATE FUNCTION f() RETURNS int ${text}` : text);
  if (!parsed.ok)
    throw new Unsure(
      'message' in parsed ? `has a body that ${parsed.message}` : 'has a body that is nested too deeply',
    );
  const statements = parsed.statements.map((one) => one['stmt']);
  const create = standard ? nodeOf(statements[0]) : undefined;
  const own = create ? flatten(create.fields['sql_body']) : statements;
  return own.map((statement) => {
    const node = nodeOf(statement);
    if (!node) throw new Unsure('has a body that cannot be read');
    return node;
  });
}

/** BEGIN ATOMIC holds lists of lists. */
function flatten(value: unknown): unknown[] {
  const node = nodeOf(value);
  return node?.kind === 'List' ? listOf(node.fields, 'items').flatMap(flatten) : isFields(value) ? [value] : [];
}

/** By number and by name. A default is an expression that is not looked at. */
function argumentsOf(
  analysis: LineageAnalysis,
  { inputs, inputNames, name: routine }: Routine,
  call: FunctionCall,
): Scope['argument'] {
  return (key) => {
    const index = typeof key === 'number' ? key - 1 : inputNames.indexOf(key);
    if (index < 0 || index >= inputs.length) return undefined;
    if (key === '' || key === routine) return undefined;
    const named = call.argNames.indexOf(inputNames[index] ?? '');
    const given = named >= 0 ? call.args[named] : call.argNames[index] === undefined ? call.args[index] : undefined;
    if (!given) return unknown('leaves an argument to its default');
    // In the body it is of the type that the function declares.
    const declared = inputs[index] ?? 0;
    const { stored: _, ...value } = inDeclaredType(analysis, given, declared);
    return hasFields(value) ? value : { ...value, ...certain(analysis, declared) };
  };
}

function shaped(analysis: LineageAnalysis, routine: Routine, columns: readonly Column[]): SqlResult {
  const type = typeTag(analysis, routine.returns);
  const names = columnNames(analysis, routine);
  if (!names) {
    const value = withoutParts(columns[0]?.value ?? NOTHING);
    if (routine.returns === VOID) return { value: NOTHING };
    if (routine.returns === RECORD) return { value: rowOf(columns), columns };
    const { type: _, row: __, ...rest } = value;
    return {
      value: { ...rest, ...(type !== undefined && { type }), kind: value.kind === 'direct' ? 'derived' : value.kind },
    };
  }
  // A body may return the fields one by one, or one value of the composite type.
  const [only] = columns;
  const values = columns.length === names.length ? columns : (only?.value.row ?? []);
  const row = names.map((name, index) => {
    const value = values[index]?.value ?? computed(columns.map(({ value: one }) => one));
    return { name, value: inDeclaredType(analysis, value, routine.outputs[index]?.type ?? 0) };
  });
  return { value: rowOf(row, type), columns: row };
}

const VOID = 2278;
const RECORD = 2249;

/** The fields that a function says it returns; undefined where it returns no composite that it names. */
function columnNames(analysis: LineageAnalysis, { outputs, returns }: Routine): string[] | undefined {
  if (outputs.length > 1) return outputs.map(({ name }, index) => name || `column${index + 1}`);
  const relation = analysis.relationOf(analysis.catalog.typeByOid(returns));
  return relation?.columns.map(({ name }) => name);
}
