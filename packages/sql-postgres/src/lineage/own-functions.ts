/**
 * Functions that a session makes for itself (pg_temp) and calls in the same transaction, as ORMs do. Owns: what is known of one from its CREATE FUNCTION.
 * Does not own: which of them there are (`session.ts`), nor their bodies (`plpgsql.ts`, `sql-functions.ts`). Pure.
 */
import { type NodeFields, isFields, nodeOf, nodesOf, text } from '../ast.js';
import type { Routine } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import { findType } from './types.js';

const RECORD = 2249;
/** What says nothing of the role, the schemas or the way in which a function runs. */
const PLAIN_OPTIONS: ReadonlySet<string> = new Set('as language volatility strict cost rows parallel'.split(' '));
const LANGUAGES: ReadonlySet<string> = new Set(['plpgsql', 'sql']);

/**
 * The function; undefined where it is of a kind that is not followed. One with arguments is: there may be others of its name, made by
 * somebody else, and the server would choose.
 */
export function ownFunction(analysis: LineageAnalysis, fields: NodeFields): Routine | undefined {
  const options = new Map(nodesOf(fields['options']).map(({ fields: one }) => [text(one, 'defname'), one['arg']]));
  const language = stringOf(options.get('language'));
  const [body, ...more] = nodesOf(nodeOf(options.get('as'))?.fields['items']);
  const isPlain = fields['is_procedure'] !== true && fields['sql_body'] === undefined && more.length === 0;
  if (!isPlain || !body || ![...options.keys()].every((name) => PLAIN_OPTIONS.has(name))) return undefined;
  const outputs = nodesOf(fields['parameters']).map(({ fields: one }) => ({
    name: text(one, 'name'),
    type: OUTPUTS.has(String(one['mode'])) ? typeIn(analysis, one['argType']) : undefined,
  }));
  const only = outputs.length === 1 ? outputs[0]?.type : RECORD;
  const returns = isFields(fields['returnType']) ? typeIn(analysis, fields['returnType']) : only;
  const types = [returns, ...outputs.map(({ type }) => type)];
  if (!LANGUAGES.has(language) || types.includes(undefined)) return undefined;
  return {
    oid: 0,
    schema: 'pg_temp',
    name: stringOf(nodesOf(fields['funcname']).length > 1 ? listAt(fields['funcname'], 1) : undefined),
    language,
    kind: 'f',
    volatility: 'v',
    inputs: [],
    inputNames: [],
    defaults: 0,
    variadic: false,
    outputs: outputs.map(({ name, type = 0 }) => ({ name, type })),
    returns: returns ?? 0,
    returnsSet: isFields(fields['returnType']) && fields['returnType']['setof'] === true,
    securityDefiner: false,
    settings: [],
    body: { text: text(body.fields, 'sval') || text(body.fields, 'str'), standard: false },
    unread: false,
  };
}

const OUTPUTS: ReadonlySet<string> = new Set(['FUNC_PARAM_OUT', 'FUNC_PARAM_TABLE']);

const listAt = (list: unknown, at: number): unknown => (Array.isArray(list) ? list[at] : undefined);

function stringOf(value: unknown): string {
  const fields = nodeOf(value)?.fields;
  return fields ? text(fields, 'sval') || text(fields, 'str') : '';
}

const typeIn = (analysis: LineageAnalysis, value: unknown): number | undefined =>
  isFields(value) ? findType(analysis, value)?.oid : undefined;
