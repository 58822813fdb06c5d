/**
 * Code in an answer, and what it would do. Owns: which analysis reads which language. Does not: find the blocks (packages/language-models),
 * or know the calls of a language (calls.ts).
 */
import type { Language } from '@sluice/analysis';
import type { Dialect, Facts } from '@sluice/contract';
import type { SeenCode } from '@sluice/guardrails';
import { type CodeBlock, codeIn } from '@sluice/language-models';
import { BodyUnreadable } from '@sluice/http-requests';
import { factsOfText } from '@sluice/proposed-calls';
import { type ProgramLanguage, callsInCode } from './calls.js';

/** Blocks of one answer that are analysed, and characters of each. An answer with more is none that anybody can judge by its code. */
const MAX_BLOCKS = 100;
const MAX_BLOCK_CHARACTERS = 256 * 1024;

const names = (text: string): readonly string[] => text.split(' ');

const PROGRAMS: ReadonlyMap<string, ProgramLanguage> = new Map(
  (
    [
      ['python', 'python py python3 py3 ipython pycon gyp'],
      ['javascript', 'javascript js jsx mjs cjs node nodejs typescript ts tsx mts deno html vue svelte'],
      ['ruby', 'ruby rb irb rake'],
      ['php', 'php php8 phtml'],
      ['go', 'go golang'],
      ['powershell', 'powershell ps1 ps pwsh posh'],
    ] as const
  ).flatMap(([language, written]) => names(written).map((name) => [name, language] as const)),
);
const SHELLS: ReadonlySet<string> = new Set(names('sh bash shell zsh ksh dash ash command'));
/** What a terminal shows: commands behind a prompt, and what they print. */
const TERMINALS: ReadonlySet<string> = new Set(names('console terminal shell-session shellsession sh-session'));
const SQL: ReadonlySet<string> = new Set(
  names('sql postgres postgresql pgsql psql plpgsql mysql mariadb sqlite tsql plsql'),
);
/** They say what is shown, and not what runs. */
const DATA: ReadonlySet<string> = new Set(
  names(
    'text txt plain plaintext output log json jsonc json5 yaml yml toml ini xml csv css markdown md diff mermaid latex tex',
  ),
);
/** What the shell analysis finds in prose too. */
const IN_PROSE: ReadonlySet<string> = new Set(['read', 'execute', 'session', 'unknown']);

/**
 * All blocks of these texts, and of what a program has that puts them together.
 *
 * Rejects with BodyUnreadable where they are too many or too long.
 */
export async function readCode(
  texts: readonly string[],
  languages: ReadonlyMap<string, Language>,
  owner: string,
): Promise<readonly SeenCode[]> {
  const all = [...texts, ...(texts.length > 1 ? [texts.join('')] : [])].flatMap(codeIn);
  const blocks = [...new Map(all.map((block) => [`${block.language} ${block.text}`, block])).values()];
  if (blocks.length > MAX_BLOCKS || blocks.some(({ text }) => text.length > MAX_BLOCK_CHARACTERS))
    throw new BodyUnreadable('The rules ask what the code in this answer does, and it has more than is analysed.');
  return Promise.all(blocks.map((block) => readBlock(block, languages, owner)));
}

async function readBlock(block: CodeBlock, languages: ReadonlyMap<string, Language>, owner: string): Promise<SeenCode> {
  const { language, text } = block;
  const program = PROGRAMS.get(language);
  if (program) return { ...block, ...callsInCode(text, program) };
  if (TERMINALS.has(language)) return { ...block, ...seen([await terminal(text, languages, owner)]) };
  if (SHELLS.has(language)) return { ...block, ...seen(await shell(text, languages, owner)) };
  if (SQL.has(language)) {
    const read = await sql(text, languages, owner);
    return { ...block, ...(read.length > 0 ? seen(read) : UNKNOWN) };
  }
  // Nobody says what it is, or says what it is not: what is plain in it by itself counts.
  const calls = callsInCode(text, undefined);
  const command = seen(await shell(text, languages, owner));
  const statements = seen(await sql(text, languages, owner));
  const effects = [...calls.effects, ...command.effects.filter((one) => !IN_PROSE.has(one)), ...statements.effects];
  const isOther = language !== '' && !DATA.has(language);
  return {
    ...block,
    effects: [...new Set([...effects, ...(isOther ? ['unknown'] : [])])],
    verbs: [...new Set([...calls.verbs, ...statements.verbs])],
  };
}

const UNKNOWN = { effects: ['unknown'], verbs: [] };

function seen(facts: readonly Facts[]): Pick<SeenCode, 'effects' | 'verbs'> {
  const actions = facts.flatMap((one) => one.actions);
  return {
    effects: [...new Set(actions.flatMap(({ effects }) => effects))],
    verbs: [...new Set(actions.map(({ verb }) => verb))],
  };
}

/** What stands before a command where a terminal is shown. */
const PROMPT = /^\s*(?:\([\w.-]+\)\s*)?(?:[\w.-]+@[\w.-]+[:\s][^$#%>\n]{0,200})?[$#%>]\s+/;

/** Of a terminal the commands alone, where lines have a prompt. */
function terminal(text: string, languages: ReadonlyMap<string, Language>, owner: string): Promise<Facts> {
  const lines = text.split('\n');
  const commands = isShown(lines) ? lines.filter((line) => PROMPT.test(line)).map(withoutPrompt) : lines;
  return factsIn(commands.join('\n'), { type: 'shell', shell: 'bash' }, languages, owner);
}

/** What looks like a terminal may be a script as well: one line with a prompt does not make the others its output. */
async function shell(text: string, languages: ReadonlyMap<string, Language>, owner: string): Promise<readonly Facts[]> {
  const shown = await terminal(text, languages, owner);
  const lines = text.split('\n');
  if (!isShown(lines)) return [shown];
  const script = lines.filter((line) => !PROMPT.test(line)).join('\n');
  return [shown, await factsIn(script, { type: 'shell', shell: 'bash' }, languages, owner)];
}

// A comment begins as the prompt of root does.
const isShown = (lines: readonly string[]): boolean =>
  lines.some((line) => PROMPT.test(line) && !line.trimStart().startsWith('#'));
const withoutPrompt = (line: string): string => line.replace(PROMPT, '');

/** As each of the servers reads it that can. */
async function sql(text: string, languages: ReadonlyMap<string, Language>, owner: string): Promise<readonly Facts[]> {
  const read = await Promise.all(
    [...languages.keys()].map((name) =>
      factsIn(text, { type: 'sql', dialect: name as Dialect['name'] }, languages, owner),
    ),
  );
  return read.filter(({ syntaxError, actions }) => syntaxError === undefined && actions.length > 0);
}

const NOTHING: Facts = { actions: [], confidence: 'opaque', statements: [] };

async function factsIn(...asked: Parameters<typeof factsOfText>): Promise<Facts> {
  try {
    return (await factsOfText(...asked)) ?? NOTHING;
  } catch {
    return NOTHING;
  }
}
