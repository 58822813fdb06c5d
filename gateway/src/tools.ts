/**
 * Calls of tools that a language model proposes. Owns: their facts, with those of the argument that is a statement or a command line. Does
 * not: find them in answers (packages/language-models), or decide.
 */
import type { Language } from '@sluice/analysis';
import type { Action, AppliedHold, Dialect, Facts, ToolCommand } from '@sluice/contract';
import type { PolicyContext } from '@sluice/guardrails';
import { JsonError, membersNamed, readJson } from '@sluice/http-requests';
import type { ToolArgument } from '@sluice/language-models';
import { analyzeShell } from '@sluice/shell';
import { dialectOf } from '@sluice/sql-postgres';

/** What was known of the request in whose answer a call is: rules see it as well. `ProposedCall.about` of the gateway's own. */
export class Proposal {
  readonly context: PolicyContext;
  /** Rules by which people have agreed to the request: they need not agree once more. */
  readonly held: ReadonlySet<string>;

  constructor(context: PolicyContext, held: readonly AppliedHold[]) {
    this.context = context;
    this.held = new Set(held.map(({ rule }) => rule));
  }
}

/** The grammar that reads most of what another one reads. */
const NEWEST_POSTGRES = 18;
const MARIADB = '11.8.2-MariaDB';

/** What a call would do. Never rejects. */
export function toolFacts(
  { tool, input }: ToolCommand,
  argument: ToolArgument | undefined,
  languages: ReadonlyMap<string, Language>,
  owner: string,
): Facts | Promise<Facts> {
  if (!argument) return factsOf(tool, []);
  const text = argumentIn(input, argument.argument);
  if (text === undefined)
    return factsOf(tool, [], `has no argument "${argument.argument}" that could be read, which rules judge`);
  const { language } = argument;
  if (language === 'sh' || language === 'bash') {
    const shell = {
      type: 'exec',
      id: 1,
      shell: language,
      text,
      account: '',
      environment: [],
      terminal: false,
    } as const;
    return withInner(tool, analyzeShell(shell));
  }
  const dialect = dialectFor(language, languages);
  const reader = dialect && languages.get(dialect.name);
  if (!dialect || !reader) return factsOf(tool, [], `has an argument in ${language}, which nothing here reads`);
  const facts = reader.analyze({ type: 'sql', id: 1, phase: 'run', dialect, text }, { owner, urgency: 'live' });
  if (!(facts instanceof Promise)) return withInner(tool, facts);
  return facts.then(
    (late) => withInner(tool, late),
    () => factsOf(tool, [], 'has an argument that could not be analysed'),
  );
}

function dialectFor(language: ToolArgument['language'], languages: ReadonlyMap<string, Language>): Dialect | undefined {
  if (language === 'postgres') return dialectOf(NEWEST_POSTGRES);
  return languages.get('mysql')?.dialectOf?.(language === 'mariadb' ? MARIADB : undefined);
}

/** The call, and what it leads to. What the gateway never lets through, and what is no such text, it does not let a tool have. */
function withInner(tool: string, { actions, confidence, forbidden, syntaxError }: Facts): Facts {
  const why = forbidden ?? (syntaxError && `has an argument that does not parse: ${syntaxError.message}`);
  const inner = actions.map((action) => ({ ...action, depth: action.depth + 1 }));
  return { ...factsOf(tool, inner, why), confidence };
}

/** `why`: nobody can say what it does. */
function factsOf(tool: string, inner: readonly Action[], why?: string): Facts {
  const action: Action = {
    statement: 0,
    depth: 0,
    verb: 'call',
    effects: why === undefined ? ['execute'] : ['execute', 'unknown'],
    resources: [{ type: 'tool', name: tool, access: 'execute' }],
    reasons: why === undefined ? [] : [why],
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
