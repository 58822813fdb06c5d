/**
 * What a proposed call would do. Owns: its facts, with those of the argument that is a statement or a command line. Does not: decide
 * (judge.ts), or read a language itself.
 */
import type { Language } from '@sluice/analysis';
import type { Action, Facts, ToolCommand } from '@sluice/contract';
import { BodyUnreadable, type Json, JsonError, membersNamed, readJson, textOf, valuesAt } from '@sluice/http-requests';
import type { SeenTool } from '@sluice/guardrails';
import type { ToolArgument } from '@sluice/language-models';
import { analyzeShell } from '@sluice/shell';
import { dialectOf } from '@sluice/sql-postgres';

/** Of a language whose dialects are numbers: the grammar that reads most of what others read. */
const NEWEST_MAJOR = 18;

/** What a call itself is, without its argument. */
export type OwnAction = Pick<Action, 'verb' | 'effects' | 'resources' | 'reasons'>;

const proposed = (tool: string): OwnAction => ({
  verb: 'call',
  effects: ['execute'],
  resources: [{ type: 'tool', name: tool, access: 'execute' }],
  reasons: [],
});

/** What a call would do. `own`: what it is itself, where that is known. Never rejects. */
export function factsOfCall(
  { tool, input }: Pick<ToolCommand, 'tool' | 'input'>,
  argument: ToolArgument | undefined,
  languages: ReadonlyMap<string, Language>,
  owner: string,
  own = proposed(tool),
): Facts | Promise<Facts> {
  if (!argument) return factsOf(own, []);
  const text = argumentIn(input, argument.argument);
  if (text === undefined)
    return factsOf(own, [], `has no argument "${argument.argument}" that could be read, which rules judge`);
  const { language } = argument;
  const facts = factsOfText(text, language, languages, owner);
  if (!facts) return factsOf(own, [], `has an argument in ${nameOf(language)}, which nothing here reads`);
  if (!(facts instanceof Promise)) return withInner(own, facts);
  return facts.then(
    (late) => withInner(own, late),
    () => factsOf(own, [], 'has an argument that could not be analysed'),
  );
}

/** A call as rules see it. `server`: the connection whose server has the tool; empty where nobody knows. */
export function seenTool(server: string, name: string, input: string): SeenTool {
  let json: Json | undefined;
  return {
    server,
    name,
    argument: (pointer) => valuesAt((json ??= argumentsIn(input)), pointer).map(textOf),
  };
}

/** @throws BodyUnreadable */
function argumentsIn(input: string): Json {
  try {
    return readJson(input);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new BodyUnreadable(`The rules read arguments of this call, which ${error.message}.`);
  }
}

/** Of a text in a language of commands; undefined: nothing here reads it. May reject. */
export function factsOfText(
  text: string,
  language: ToolArgument['language'],
  languages: ReadonlyMap<string, Language>,
  owner: string,
): Facts | Promise<Facts> | undefined {
  if (language.type === 'shell') {
    const { shell } = language;
    return analyzeShell({ type: 'exec', id: 1, shell, text, account: '', environment: [], terminal: false });
  }
  const reader = languages.get(language.dialect);
  const dialect = reader?.dialectOf ? reader.dialectOf(language.version) : dialectOf(NEWEST_MAJOR);
  if (!dialect || !reader || reader.name !== dialect.name) return undefined;
  return reader.analyze({ type: 'sql', id: 1, phase: 'run', dialect, text }, { owner, urgency: 'live' });
}

const nameOf = (language: ToolArgument['language']): string =>
  language.type === 'sql' ? language.dialect : language.shell;

/** The call, and what it leads to. What the gateway never lets through, and what is no such text, it does not let a tool have. */
function withInner(own: OwnAction, { actions, confidence, forbidden, syntaxError }: Facts): Facts {
  const why = forbidden ?? (syntaxError && `has an argument that does not parse: ${syntaxError.message}`);
  const inner = actions.map((action) => ({ ...action, depth: action.depth + 1 }));
  return { ...factsOf(own, inner, why), confidence };
}

/** `why`: nobody can say what it does. */
function factsOf({ effects, reasons, ...own }: OwnAction, inner: readonly Action[], why?: string): Facts {
  const action: Action = {
    statement: 0,
    depth: 0,
    ...own,
    effects: why === undefined || effects.includes('unknown') ? effects : [...effects, 'unknown'],
    reasons: why === undefined ? reasons : [...reasons, why],
  };
  return { actions: [action, ...inner], confidence: 'parsed', statements: [] };
}

/** Undefined: there is none, or several that a program may take, or one that is no text. */
function argumentIn(input: string, name: string): string | undefined {
  try {
    const read = readJson(input);
    if (read.type !== 'object') return undefined;
    const [first, second] = membersNamed(read.members, name);
    return first?.type === 'string' && second === undefined ? first.text : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
