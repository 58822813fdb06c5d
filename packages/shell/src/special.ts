/** Programs with rules of their own: sed, awk, jq, find and the like. Pure. */
import { optionsOf, parseOptions } from './options.js';
import { isSecret, writing } from './paths.js';
import { declares, reads } from './programs.js';
import type { Invocation } from './setting.js';
import { readsInAwk, readsInJq, readsInSed } from './tools/scripts.js';

/** Programs with a rule of their own. True when there is nothing more to say. */
export function special(invocation: Invocation): boolean {
  const handler = HANDLERS.get(invocation.name);
  return handler?.(invocation) ?? declares(invocation);
}

type BuiltinHandler = (invocation: Invocation) => boolean;

/** A subscript is evaluated: `test -v 'a[$(command)]'`. */
const SUBSCRIPT = /\[.*[$`]/s;

const tests: BuiltinHandler = ({ values, draft }) => {
  draft.effect('read');
  if (values.some(({ text, known }) => SUBSCRIPT.test(text) || (!known && text.includes('['))))
    draft.unknown(EVALUATES);
  for (const [at, { text, known }] of values.entries()) {
    // Some shells evaluate both sides of a comparison of numbers, and the name behind -v.
    if (
      /^-(?:eq|ne|lt|le|gt|ge)$/.test(text) &&
      [values[at - 1], values[at + 1]].some((side) => side?.known && !/^-?\d*$/.test(side.text))
    )
      draft.unknown(EVALUATES);
    if (known && text === '-v' && !/^\w+$/.test(values[at + 1]?.text ?? '')) draft.unknown(EVALUATES);
  }
  return true;
};
const EVALUATES = 'evaluates an argument as an expression, which can run commands';

const prints: BuiltinHandler = ({ values, draft }) => {
  draft.effect('read');
  const [first] = values;
  if (
    !first ||
    first.many ||
    (first.text.startsWith('-') && first.text !== '--') ||
    (!first.known && first.text === '')
  )
    draft.unknown('may set a variable, whose name can run commands');
  if (values.some(({ text }) => SUBSCRIPT.test(text) && /^\w+\[/.test(text))) draft.unknown(EVALUATES);
  return true;
};

const readsLine: BuiltinHandler = ({ values, draft }) => {
  const parsed = parseOptions(values, optionsOf('rsp:n:t:d:e'));
  draft.effect('read');
  if (typeof parsed === 'string') draft.unknown(parsed);
  else if (parsed.operands.some(({ text, known }) => !known || !/^[a-z_]\w*$/.test(text)))
    draft.unknown('sets a variable that programs may obey');
  return true;
};

/** `sed -n '1,5p' file`: the script is read as one of those that only print. */
const SED_OPTIONS = optionsOf(
  'nErsuze:i:: --quiet --silent --regexp-extended --expression= --posix --null-data --in-place',
);
const seds: BuiltinHandler = (invocation) => {
  const { values, draft, setting } = invocation;
  const parsed = parseOptions(values, SED_OPTIONS);
  if (typeof parsed === 'string') return (draft.effect('read').unknown(parsed), true);
  const given = parsed.options.filter(({ name }) => name === '-e' || name === '--expression').map(({ value }) => value);
  const files = given.length > 0 ? parsed.operands : parsed.operands.slice(1);
  const scripts = given.length > 0 ? given : parsed.operands.slice(0, 1);
  if (scripts.some((script) => !script?.known || script.glob || !readsInSed(script.text)))
    draft.unknown('has a script that may write or run something');
  if (parsed.options.some(({ name }) => name === '-i' || name === '--in-place')) {
    draft.effect('write', 'destroy');
    for (const { text, known } of files) {
      draft.effect(...writing(text, true, setting.folders)).resource('file', text, 'write');
      if (!known) draft.unknown(WRITES_LATER);
    }
    return true;
  }
  reads({ shows: 'contents' }, { ...invocation, values: files });
  return true;
};
const WRITES_LATER = 'writes a file whose name is only known when it runs';

const AWK_OPTIONS = optionsOf('F:v:');
const awks: BuiltinHandler = (invocation) => {
  const { values, draft } = invocation;
  const parsed = parseOptions(values, AWK_OPTIONS, true);
  if (typeof parsed === 'string') return (draft.effect('execute').unknown(parsed), true);
  const [program, ...files] = parsed.operands;
  const reason =
    program?.known && !program.glob ? readsInAwk(program.text) : 'runs a program that is only known when it runs';
  if (reason !== undefined) draft.effect('execute').unknown(reason);
  reads({ shows: 'contents' }, { ...invocation, values: files });
  return true;
};

const JQ_OPTIONS = optionsOf(
  'rncesSMCaj --raw-output --compact-output --arg= --argjson= --exit-status --slurp --sort-keys --tab --null-input --raw-input',
);
const jqs: BuiltinHandler = (invocation) => {
  const { values, draft } = invocation;
  // `--arg name value` takes two.
  const flat = values.filter((_, at) => !/^--arg(?:json)?$/.test(values[at - 2]?.text ?? ''));
  const parsed = parseOptions(flat, JQ_OPTIONS);
  if (typeof parsed === 'string') return (draft.effect('read').unknown(parsed), true);
  const [program, ...files] = parsed.operands;
  draft.effect('read');
  if (!program?.known || program.glob) draft.unknown('runs a program that is only known when it runs');
  else if (!readsInJq(program.text)) draft.effect('secret');
  reads({ shows: 'contents' }, { ...invocation, values: files });
  return true;
};

const RG_OPTIONS = optionsOf(
  'nilwvcSsuFHNoUPA:B:C:e:g:t:T:m:j: --hidden --files --no-heading --line-number --ignore-case --files-with-matches --count --glob= --type= --no-ignore --json --color= --max-count= --context= --sort= --fixed-strings --word-regexp --multiline --only-matching',
);
const rgs: BuiltinHandler = (invocation) => {
  const parsed = parseOptions(invocation.values, RG_OPTIONS);
  if (typeof parsed === 'string') return (invocation.draft.effect('read').unknown(parsed), true);
  const pattern = parsed.options.some(({ name }) => name === '-e') ? undefined : parsed.operands[0];
  reads({ shows: 'contents' }, { ...invocation, values: invocation.values.filter((value) => value !== pattern) });
  return true;
};

/** The first operand is a pattern, and no file. */
const greps: BuiltinHandler = (invocation) => {
  const { values, draft } = invocation;
  const marked = values.some(({ text }) => /^-[a-zA-Z]*[ef]|^--(?:regexp|file)/.test(text));
  const at = marked
    ? -1
    : values.findIndex(
        (value, index) =>
          !value.text.startsWith('-') &&
          !/^-(?:[a-zA-Z]*[ABCm])$|^--(?:include|exclude|exclude-dir|color|max-count|context)$/.test(
            values[index - 1]?.text ?? '',
          ),
      );
  const pattern = values[at];
  if (pattern && pattern.many && !pattern.known) draft.unknown('has arguments that are only known when it runs');
  const rest = values.filter(
    (value, index) =>
      index !== at &&
      !(marked && /^(?:-[a-zA-Z]*e|--regexp)$/.test(values[index - 1]?.text ?? '')) &&
      !/^-(?:[ABCm]|-exclude)/.test(value.text),
  );
  reads({ shows: 'contents' }, { ...invocation, values: rest });
  return true;
};

const echoes: BuiltinHandler = ({ draft }) => (draft.effect('read'), true);

const changesFolder: BuiltinHandler = ({ values, draft }) => {
  draft.effect('read');
  for (const { text, glob, known } of values) {
    // With something behind it, so that it counts as a folder.
    if (isSecret(`${text}/x`, glob)) draft.effect('secret');
    if (!known) draft.unknown('changes to a folder that is only known when it runs');
  }
  return true;
};

const tees: BuiltinHandler = ({ values, draft, setting }) => {
  const parsed = parseOptions(values, optionsOf('aip --append --ignore-interrupts'));
  if (typeof parsed === 'string') return (draft.effect('write').unknown(parsed), true);
  const over = !parsed.options.some(({ name }) => name === '-a' || name === '--append');
  for (const { text, known } of parsed.operands) {
    draft.effect(...writing(text, over, setting.folders)).resource('file', text, 'write');
    if (!known) draft.unknown(WRITES_LATER);
  }
  return true;
};

const tops: BuiltinHandler = ({ values, draft, setting }) => {
  if (!setting.terminal || values.some(({ text, known }) => known && /^-[a-zA-Z]*b/.test(text))) return false;
  draft.effect('execute').unknown('takes orders from its terminal');
  return true;
};

const secret: BuiltinHandler = ({ draft }) => (draft.effect('read', 'secret'), true);

const sets: BuiltinHandler = ({ values, draft }) => {
  if (values.length > 0) return false;
  draft.effect('read', 'secret');
  return true;
};

const HANDLERS = new Map<string, BuiltinHandler>([
  ['test', tests],
  ['[', tests],
  ['printf', prints],
  ['echo', echoes],
  ['read', readsLine],
  ['sed', seds],
  ['awk', awks],
  ['gawk', awks],
  ['mawk', awks],
  ['nawk', awks],
  ['jq', jqs],
  ['rg', rgs],
  ['grep', greps],
  ['egrep', greps],
  ['fgrep', greps],
  ['cd', changesFolder],
  ['pushd', changesFolder],
  ['tee', tees],
  ['top', tops],
  ['printenv', secret],
  ['set', sets],
]);
