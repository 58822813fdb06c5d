/** What variables of a text can hold, and which change what a program does. Pure. */
import { type Command, type SyntaxNode, type Word, forEachChild } from 'unbash';
import { type VariableWords, valuesOf } from './words.js';

/** Names that no program takes instructions from: words of the text itself, language and time zone. */
const ORDINARY =
  /^(?!.*_proxy$)[a-z_][a-z0-9_]*$|^(?:DIR|FILE|FILES|N|I|J|COUNT|TOTAL|NAME|HOST|HOSTS|DATE|NOW|START|STOP|OUT|RESULT|LOG|LOGS|LINE|SRC|SERVICE|PID|PORT|VERSION|STATUS|RC|CODE)$/;
const LANGUAGE = /^(?:LANG|LC_[A-Z]+|TZ|TERM|COLORTERM|NO_COLOR|COLUMNS|LINES)$/;
/** No paths: a locale is a file of messages and rules. */
const PLAIN = /^[\w.@,+:-]*$/;
const ZONE = /^[A-Za-z][\w+-]*(?:\/[\w+-]+){0,2}$/;

/** Why a variable must not be set to this before something runs; undefined when it may. */
export function suspicious(name: string, value: string | undefined): string | undefined {
  if (LANGUAGE.test(name) && value !== undefined && (PLAIN.test(value) || (name === 'TZ' && ZONE.test(value))))
    return undefined;
  if (ORDINARY.test(name)) return undefined;
  return `sets ${name}, which can change what programs do`;
}

/** Variables with a name like this hold what is not shown to anybody. */
export const SECRET_VARIABLE =
  /pass(?:w(?:or)?d|phrase)?|secret|token|credential|(?:^|_)(?:pwd|auth)$|api_?key|(?:private|access|signing|encryption)_?key|(?:^|_)key(?:$|_)|database_url|dsn/i;

/** Commands that can set variables in ways that are not followed. */
const SETTERS = new Set([
  'eval',
  'source',
  '.',
  'trap',
  'read',
  'mapfile',
  'readarray',
  'printf',
  'getopts',
  'unset',
  'declare',
  'typeset',
  'local',
  'let',
  'export',
  'readonly',
  'set',
  'shift',
]);

/** The values that a text gives to its own variables, wherever: in lower case, and only where each of them is written out. */
export function knownVariables(script: SyntaxNode, environment: readonly (readonly [string, string])[]): VariableWords {
  const known = new Map<string, string[]>();
  const lost = new Set(environment.map(([name]) => name));
  let unfollowed = false;
  const assign = (name: string, words: readonly Word[] | undefined): void => {
    const texts = words?.flatMap((word) =>
      valuesOf(word, NOTHING).map((value) => (value.known ? value.text : undefined)),
    );
    if (!texts || texts.some((text) => text === undefined) || !/^[a-z]/.test(name)) return void lost.add(name);
    const sofar = known.get(name);
    if (sofar) sofar.push(...(texts as string[]));
    else known.set(name, texts as string[]);
  };
  const see = (node: SyntaxNode): void => {
    if (node.type === 'Assignment') {
      if (node.value.type === 'Word' && !node.append && !node.index) assign(node.name, [node.value]);
      else lost.add(node.name);
    } else if (node.type === 'For') assign(node.name.value, node.wordlist);
    else if (node.type === 'Select') lost.add(node.name.value);
    else if (node.type === 'Command' && setsVariables(node)) unfollowed = true;
    else if (node.type === 'Function' || node.type === 'Coproc' || node.type.startsWith('Arithmetic'))
      unfollowed = true;
    else if (node.type === 'Default') unfollowed = true;
    if (!unfollowed) forEachChild(node, see);
  };
  see(script);
  if (unfollowed) return NOTHING;
  for (const name of lost) known.delete(name);
  return known;
}

export const NOTHING: VariableWords = new Map();

/** Whether a text may set variables, which a text that it has run would find: in words of its own, or by the arguments of `env`. */
export function assigns(script: SyntaxNode): boolean {
  let found = false;
  const see = (node: SyntaxNode): void => {
    found ||= ASSIGNING.has(node.type) || (node.type === 'Command' && (setsVariables(node) || givesVariables(node)));
    if (!found) forEachChild(node, see);
  };
  see(script);
  return found;
}

const ASSIGNING: ReadonlySet<SyntaxNode['type']> = new Set<SyntaxNode['type']>([
  'Assignment',
  'For',
  'Select',
  'Function',
  'Coproc',
  'Default',
  'ArithmeticFor',
  'ArithmeticCommand',
  'ArithmeticExpansion',
]);

/** To what it runs: `env x=1 sh -c 'text'`. The text itself may begin like that. */
const givesVariables = ({ args }: Command): boolean =>
  args.some((one, at) => {
    const before = args[at - 1];
    const isText = before?.type === 'Word' && /^-\w*c$/.test(before.value);
    return !isText && (one.type !== 'Word' || /^[A-Za-z_]\w*=/.test(one.value));
  });

/** `command eval` and `builtin eval` do what `eval` does. */
function setsVariables({ name, args }: Command): boolean {
  if (!name) return false;
  if (name.parts || SETTERS.has(name.value)) return true;
  if (name.value !== 'command' && name.value !== 'builtin') return false;
  return args.some((one) => one.type !== 'Word' || one.parts !== undefined || SETTERS.has(one.value));
}
