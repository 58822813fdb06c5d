/** Rules that say nothing on a connection. Owns: what of a rule needs which kind of target. Does not: warn anybody. */
import { COMMAND_UNITS, type Rule } from '@sluice/contract';
import { compileCondition } from './condition.js';

/** What a target is. */
export interface Serves {
  readonly http: boolean;
  /** Its answers are rows of SQL. */
  readonly rows: boolean;
  /** It serves language models: `llm` of the connection. */
  readonly models: boolean;
  /** It is a server of MCP: `mcp` of the connection. */
  readonly mcp: boolean;
}

/** Why a rule never applies there, or asks about what is always empty: a phrase of which the rule is the subject; undefined: it may. */
export function unreached({ then, when }: Rule, { http, rows, models, mcp }: Serves): string | undefined {
  const condition = when === undefined ? undefined : compileCondition(when);
  if (then.type === 'hold_answer' && !http) return 'never applies: people read answers by HTTP only';
  if (then.type === 'budget' && then.distinct !== undefined && !rows) {
    if (!http)
      return 'does not count "distinct" there: different values are counted in rows of PostgreSQL and MySQL, and in answers by HTTP';
    if (models)
      return 'does not count "distinct" there: answers of language models come in pieces, in which nobody counts values';
    if (then.columns)
      return 'does not count "columns" there: in answers by HTTP values are counted that "detect" finds';
  }
  if (then.type === 'tripwire' && then.new_tables !== undefined && !rows)
    return 'does not count "new_tables" there: tables are those of SQL';
  if (then.type === 'budget' && !models && !COMMAND_UNITS.some((unit) => then[unit] !== undefined))
    return 'never applies: requests, tokens and cost are of calls of language models ("llm")';
  if (condition?.readsAnswer && !http) return 'never applies: it asks about an answer by HTTP';
  if (condition?.readsModel && !models)
    return 'asks about calls of language models, of which there are none without "llm"';
  if (condition?.readsTool && !models && !mcp)
    return 'asks about calls of tools, of which there are none without "llm" or "mcp"';
  return undefined;
}
