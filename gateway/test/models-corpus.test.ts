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
import { type Provider, WordList } from '@sluice/language-models';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { HttpJudge } from '@sluice/judging';

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
        body: form.body.replaceAll(/\{(\w+)\}/g, (whole, way: string) => WRITTEN[way]?.(value) ?? whole),
      })),
    ),
  );
};

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
const judges = new Map(
  (['openai', 'anthropic'] as const).map((provider) => [
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
        budgets: { of: new ModelBudgets(counts, () => undefined), owner: { name: 'dev' } },
      },
    ),
  ]),
);

function isRefused({ form, body }: Case): boolean {
  const command: HttpCommand = {
    type: 'request',
    id: 1,
    text: `POST ${form.path}`,
    method: 'POST',
    host: 'gateway',
    path: form.path,
    query: '',
    headers: [['Content-Type', 'application/json']],
    body: { type: 'whole', media: 'application/json', bytes: Buffer.from(body) },
  };
  const judged = judges.get(form.api ?? 'openai')?.judge(command);
  if (judged instanceof Promise) throw new Error('the judge waits for something');
  return judged?.answer.type !== 'allow';
}

test('no evasion passes', () => {
  const all = corpus('evasions.yaml');
  const leaks = all.filter((one) => !isRefused(one)).map(({ form, body }) => `${form.path} ${body}`);
  console.log(`models: ${all.length} evasions, ${leaks.length} leaks`);
  expect(leaks).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(200);
});

test('what is ordinary passes', () => {
  const all = corpus('ordinary.yaml');
  const stopped = all.filter(isRefused).map(({ form, body }) => `${form.path} ${body}`);
  console.log(`models: ${all.length} ordinary requests, ${stopped.length} stopped`);
  expect(stopped).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(150);
});
