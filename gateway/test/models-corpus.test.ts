/**
 * fixtures/guardrails/llm: what must not be said to a model, in every form that we know of, and what people say all day. Judged as a gateway
 * judges it, without one. Lives here: the ways of writing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HttpCommand, Rule } from '@sluice/contract';
import { Counts, ModelBudgets } from '@sluice/budgets';
import { compilePolicy } from '@sluice/guardrails';
import { PLAIN_READING } from '@sluice/http-requests';
import { PROVIDERS, type Provider, WordList } from '@sluice/language-models';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { HttpJudge, JudgedFiles } from '@sluice/judging';

interface Form {
  readonly api?: Provider;
  readonly path: string;
  readonly body: string;
}
interface Corpus {
  readonly kinds: readonly { readonly values: readonly string[]; readonly forms: readonly Form[] }[];
}
interface Case {
  readonly form: Form;
  readonly body: string;
  readonly media: string;
}

const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);
const half = (text: string): number => Math.floor(text.length / 2);
const spread = (text: string, sign: string): string => quoted(Array.from(text).join(sign));
const shifted = (text: string, by: number): string =>
  text.replaceAll(/[!-~]/g, (sign) => String.fromCodePoint(by + sign.charCodeAt(0)));
/** What the names in braces stand for. */
const WRITTEN: Readonly<Record<string, (value: string) => string>> = {
  json: quoted,
  unicode: (value) => value.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  base64: (value) => Buffer.from(value).toString('base64'),
  percent: encodeURIComponent,
  nested: (value) => quoted(JSON.stringify({ inner: value, n: 1 })),
  first: (value) => quoted(value.slice(0, half(value))),
  second: (value) => quoted(value.slice(half(value))),
  upper: (value) => quoted(value.toUpperCase()),
  // Full-width forms.
  wide: (value) => shifted(value, 0xfee0),
  zero: (value) => spread(value, '\u200b'),
  soft: (value) => spread(value, '\u00ad'),
  tags: (value) => shifted(value, 0xe0000).replaceAll(' ', '\u{e0020}'),
  lines: (value) => quoted(value.replaceAll(' ', ' \n\t ')),
  dashes: (value) => value.replaceAll(' ', '-'),
};

const corpus = (name: string): Case[] => {
  const file = join(import.meta.dirname, '../../fixtures/guardrails/llm', name);
  const { kinds } = parse(readFileSync(file, 'utf8')) as Corpus;
  return kinds.flatMap(({ values, forms }) =>
    forms.flatMap((form) =>
      values.map((value) => ({
        form,
        media: 'application/json',
        body: form.body.replaceAll(/\{(\w+)\}/g, (whole, way: string) => WRITTEN[way]?.(value) ?? whole),
      })),
    ),
  );
};

/** Calls of OpenAI's API: each may come as a line of a file, and what it says in a document. */
const CALLS: ReadonlySet<string> = new Set(
  ['chat/completions', 'completions', 'responses', 'embeddings'].map((one) => `/v1/${one}`),
);
const BOUNDARY = 'a-boundary-of-a-form';
const fileOf = (purpose: string, content: string): Case => {
  const field = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n${purpose}\r\n`;
  const file = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n${content}\r\n`;
  const body = `${field}${file}--${BOUNDARY}--\r\n`;
  return { form: { path: '/v1/files', body }, body, media: `multipart/form-data; boundary=${BOUNDARY}` };
};
/** Behind a line that says nothing. */
const asLine = ({ form, body }: Case): Case => {
  const line = (one: string): string => `{"custom_id":"a","method":"POST","url":"${form.path}","body":${one}}`;
  return fileOf('batch', `${line('{"model":"m","messages":[],"input":"hi","prompt":"hi"}')}\n${line(body)}\n`);
};
const callsIn = (all: readonly Case[]): Case[] =>
  all.filter(({ form, body }) => CALLS.has(form.path) && !body.includes('"stream":true'));
/** In a document nobody puts together what stands in two messages, and what nobody can read as a call may be any text. */
const asDocument = ({ body }: Case): Case => fileOf('user_data', `{"n":1}\n${body}\n`);
const isSaid = ({ form: { body } }: Case): boolean =>
  /\{\w+\}/.test(body) && !body.includes('{first}') && body.startsWith('{');

const deny = (rule: string, when: string): Rule => ({
  rule,
  when,
  then: { type: 'deny', message: 'No.' },
  mode: 'enforce',
  path: rule,
});
const policy = compilePolicy([deny('found', 'request.found.size() > 0'), deny('listed', 'llm.text.listed("phrases")')]);
const phrases = new WordList('ignore all previous instructions\nproject blue heron\n秘密プロジェクト\n');
const nothing = { since: () => Promise.resolve([]), save: () => Promise.resolve(), purge: () => Promise.resolve() };
const counts = await Counts.open(nothing, () => undefined);
const unkept = { all: () => Promise.resolve([]), save: () => Promise.resolve(), remove: () => Promise.resolve() };
const files = await JudgedFiles.open(unkept, () => undefined);
const judges = new Map(
  PROVIDERS.map((provider) => [
    provider,
    new HttpJudge(
      policy,
      {
        principal: { name: 'dev', kind: 'person', groups: [], roles: [] },
        connection: { name: 'models', protocol: 'http' },
      },
      {
        reading: PLAIN_READING,
        mark: () => '(secret)',
        message: 1024 * 1024,
        bodies: 1024,
        edits: undefined,
        masks: { key: Buffer.from('a key'), unread: new Map(), marked: [] },
        models: { provider, lists: new Map([['phrases', phrases]]), tools: new Map(), prices: new Map() },
        budgets: { of: new ModelBudgets(counts, () => ({ amount: 0 })), owner: { name: 'dev' } },
        descriptors: undefined,
        files,
      },
    ),
  ]),
);

async function isRefused({ form, body, media }: Case): Promise<boolean> {
  const command: HttpCommand = {
    type: 'request',
    id: 1,
    text: `POST ${form.path}`,
    method: 'POST',
    host: 'gateway',
    path: form.path,
    query: '',
    headers: [['Content-Type', media]],
    body: { type: 'whole', media, bytes: Buffer.from(body) },
  };
  const judge = judges.get(form.api ?? 'openai');
  if (judge === undefined) throw new Error(`no judge for ${form.api}`);
  return (await judge.judge(command)).answer.type !== 'allow';
}

async function sorted(all: readonly Case[]): Promise<{ refused: string[]; passed: string[] }> {
  const [refused, passed]: [string[], string[]] = [[], []];
  for (const one of all) ((await isRefused(one)) ? refused : passed).push(`${one.form.path} ${one.body}`);
  return { refused, passed };
}

test('no evasion passes', async () => {
  const all = corpus('evasions.yaml');
  const { passed } = await sorted(all);
  console.log(`models: ${all.length} evasions, ${passed.length} leaks`);
  expect(passed).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(200);
});

test('none passes in a file', async () => {
  const calls = callsIn(corpus('evasions.yaml'));
  const said = [
    ...calls.map(asLine),
    ...calls.filter((one) => isSaid(one) && !one.body.includes('"hi"}')).map(asDocument),
  ];
  const { passed } = await sorted(said);
  console.log(`models: ${said.length} evasions in files, ${passed.length} leaks`);
  expect(passed).toEqual([]);
  expect(said.length).toBeGreaterThanOrEqual(300);
});

test('what is ordinary passes', async () => {
  const all = corpus('ordinary.yaml');
  const { refused } = await sorted(all);
  console.log(`models: ${all.length} ordinary requests, ${refused.length} stopped`);
  expect(refused).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(150);
  const within = callsIn(all).flatMap((one) => [asLine(one), asDocument(one)]);
  expect((await sorted(within)).refused).toEqual([]);
  expect(within.length).toBeGreaterThanOrEqual(100);
});
