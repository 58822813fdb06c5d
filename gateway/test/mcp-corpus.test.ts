/**
 * fixtures/guardrails/mcp: what clients and servers of MCP may try, and what they say all day. Judged as a gateway judges it, without one.
 * Lives here: the tools, the rules, and the ways of writing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Language, openPool } from '@sluice/analysis';
import { Counts, ModelBudgets } from '@sluice/budgets';
import { type HttpCommand, type Propose, type Rule, Unmasked } from '@sluice/contract';
import { compilePolicy } from '@sluice/guardrails';
import { PLAIN_READING } from '@sluice/http-requests';
import { HttpJudge, JudgedFiles, type Judgement } from '@sluice/judging';
import { McpSessions, Pins } from '@sluice/mcp-calls';
import { PostgresLanguage, WORKER } from '@sluice/sql-postgres';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';

interface Form {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The answer is a stream. */
  readonly events?: true;
}
interface Kind {
  readonly values: readonly string[];
  readonly forms: readonly Form[];
}
interface Corpus {
  readonly requests: readonly Kind[];
  readonly changes?: readonly Readonly<Record<string, unknown>>[];
  readonly answers: readonly Kind[];
}
interface Case {
  readonly form: Form;
  readonly body: string;
  readonly value: string;
}

const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);
/** What the names in braces stand for. */
const WRITTEN: Readonly<Record<string, (value: string) => string>> = {
  json: quoted,
  unicode: (value) => value.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  base64: (value) => Buffer.from(value).toString('base64'),
  nested: (value) => quoted(JSON.stringify({ inner: value, n: 1 })),
};

const corpus = (name: string): Corpus =>
  parse(readFileSync(join(import.meta.dirname, '../../fixtures/guardrails/mcp', name), 'utf8')) as Corpus;

const cases = (kinds: readonly Kind[]): Case[] =>
  kinds.flatMap(({ values, forms }) =>
    forms.flatMap((form) =>
      values.map((value) => ({
        form,
        value,
        body: (form.body ?? '').replaceAll(/\{(\w+)\}/g, (whole, way: string) => WRITTEN[way]?.(value) ?? whole),
      })),
    ),
  );

const pool = openPool(WORKER);
afterAll(() => pool.close());
const postgres = await PostgresLanguage.open(pool);
const languages = new Map<string, Language>([[postgres.name, postgres]]);
const nothing = { since: () => Promise.resolve([]), save: () => Promise.resolve(), purge: () => Promise.resolve() };
const unkept = { all: () => Promise.resolve([]), save: () => Promise.resolve(), remove: () => Promise.resolve() };
const files = await JudgedFiles.open(unkept, () => undefined);
const budgets = new ModelBudgets(await Counts.open(nothing, () => undefined), () => ({ amount: 0 }));

const rule = (name: string, when: string, then: Rule['then']): Rule => ({
  rule: name,
  when,
  then,
  mode: 'enforce',
  path: name,
});
const no = { type: 'deny', message: 'No.' } as const;
const policy = compilePolicy([
  rule('no-destruction', '"destroy" in action.effects', no),
  rule('whole-tables', 'action.filter == "none"', no),
  rule('no-egress', '"egress" in action.effects && action.depth > 0', no),
  rule('no-etc', 'tool.argument("/path").startsWith("/etc/")', no),
  rule('no-secrets', 'request.found.size() > 0', no),
  rule('two-eyes', 'tool.name == "deploy"', {
    type: 'hold',
    approvers: ['user:ada'],
    timeoutMs: 1000,
    count: 1,
    fail: false,
    onTimeout: 'deny',
  }),
  rule('masks', 'true', {
    type: 'mask',
    columns: [],
    detect: ['email', 'api_key', 'credit_card'],
    with: { type: 'redact' },
  }),
]);

const hint = { readOnlyHint: true };
const READ = {
  name: 'read',
  description: 'Reads a file.',
  inputSchema: { type: 'object', properties: { path: { type: 'string', 'x-mcp-header': 'Path' } } },
  annotations: hint,
};
const TOOLS = [
  READ,
  ...['query', 'run', 'note', 'deploy'].map((name) => ({
    name,
    description: `The tool ${name}.`,
    inputSchema: { type: 'object' },
    annotations: hint,
  })),
  { name: 'wipe', annotations: { destructiveHint: true } },
  { name: 'plain' },
];

/** A judge whose server lists these tools; and those which it has listed before. */
async function judgeFor(
  tools: readonly object[],
  pinned: readonly object[] = tools,
): Promise<{ judge: HttpJudge; list: (offered: readonly object[]) => string }> {
  const pins = await Pins.open(
    { all: () => Promise.resolve([]), save: () => Promise.resolve(), remove: () => Promise.resolve() },
    () => undefined,
  );
  const sessions = new McpSessions();
  sessions.bind('tools', 'of-somebody-else', 'eve');
  sessions.tasks.note('tools', 'dev', 't', { masks: [] });
  sessions.tasks.note('tools', 'eve', 'of-somebody-else', { masks: [] });
  const judge = new HttpJudge(
    policy,
    {
      principal: { name: 'dev', kind: 'person', groups: [], roles: [] },
      connection: { name: 'tools', protocol: 'http' },
    },
    {
      reading: PLAIN_READING,
      mark: () => '(secret)',
      message: 1024 * 1024,
      bodies: 1024,
      edits: undefined,
      masks: { key: Buffer.from('a key'), unread: new Map([['image/*', 'pass']]), marked: [] },
      models: undefined,
      mcp: {
        pins,
        sessions,
        languages,
        target: { base: '/mcp', authority: 'server.example' },
        settings: {
          pins: 'first',
          changes: { approvers: ['user:ada'], timeoutMs: 1000, count: 1, fail: false },
          tools: new Map([
            ['query', { argument: 'sql', language: { type: 'sql', dialect: 'postgres' } }],
            ['run', { argument: 'command', language: { type: 'shell', shell: 'bash' } }],
          ]),
          maxBytes: 1024 * 1024,
        },
      },
      descriptors: undefined,
      budgets: { of: budgets, owner: { name: 'dev' } },
      files,
    },
  );
  const list = (offered: readonly object[]): string => {
    const asked = judge.judge(
      commandOf({ form: {}, value: '', body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' }),
    );
    if (asked instanceof Promise) throw new Error('a list has nothing to wait for');
    return answered(judge, asked, {
      form: {},
      value: '',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: offered } }),
    });
  };
  list(pinned);
  if (tools !== pinned) list(tools);
  return { judge, list };
}

function commandOf({ form: { method = 'POST', headers = {}, path: written = '/' }, body, value }: Case): HttpCommand {
  const [path = '/', query = ''] = written.replace('{json}', value).split('?', 2);
  const media = headers['Content-Type'] ?? 'application/json';
  return {
    type: 'request',
    id: 1,
    text: `${method} /`,
    method,
    host: 'gateway',
    path,
    query,
    headers: [['Content-Type', media], ...Object.entries(headers).filter(([name]) => name !== 'Content-Type')],
    body: body === '' ? { type: 'none' } : { type: 'whole', media, bytes: Buffer.from(body) },
  };
}

/** What the client has of an answer. */
function answered(judge: HttpJudge, { answer }: Judgement, { form, body }: Case): string {
  if (answer.type !== 'allow') throw new Error(`refused: ${answer.message}`);
  const propose: Propose = (call) => {
    const judged = judge.judgeAsk({ ...call, type: 'tool', id: 2, text: call.tool, origin: 1 });
    return judged?.verdict.decision.type === 'allow'
      ? { type: 'allow' }
      : { type: 'deny', rule: 'gateway', message: 'No.' };
  };
  const media = form.events ? 'text/event-stream' : 'application/json';
  try {
    const edited = answer.http?.answer?.(200, [['Content-Type', media]], propose);
    const sent = Buffer.from(form.events ? `id: 1\ndata: ${body}\n\n` : body);
    const given = edited?.body ? [Buffer.from(edited.body.push(sent)), edited.body.end()] : [sent];
    return Buffer.concat(given).toString();
  } catch (error) {
    if (!(error instanceof Unmasked)) throw error;
    return '';
  }
}

const CALL: Case = {
  form: {},
  value: '',
  body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"note","arguments":{"text":"x"}}}',
};

test('no evasion passes', async () => {
  const { requests, changes = [], answers } = corpus('evasions.yaml');
  const { judge } = await judgeFor(TOOLS);
  const leaks: string[] = [];
  const asked = cases(requests);
  for (const one of asked) {
    const { answer, held } = await judge.judge(commandOf(one));
    if (answer.type === 'allow' && !held) leaks.push(`${JSON.stringify(one.form.headers ?? {})} ${one.body}`);
  }
  const told = cases(answers);
  for (const one of told) {
    const given = answered(judge, await judge.judge(commandOf(CALL)), one);
    const isThere =
      [one.value, Buffer.from(one.value).toString('base64')].some((text) => given.includes(text)) ||
      /sampling|elicit|roots/.test(given.replaceAll(/"message":"The server asks[^"]*"/g, ''));
    if (isThere) leaks.push(`${one.body} gave ${given}`);
  }
  for (const change of changes) {
    const offered = TOOLS.map((tool) => (tool === READ ? { ...tool, ...change } : tool));
    const { judge: other, list } = await judgeFor(offered, TOOLS);
    const call = {
      ...CALL,
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"path":"/srv/a"}}}',
    };
    const { answer, held } = await other.judge(commandOf(call));
    if (answer.type === 'allow' && !held) leaks.push(`a call after ${JSON.stringify(change)}`);
    const listed = (JSON.parse(list(offered)) as { result: { tools: { name: string }[] } }).result.tools.find(
      ({ name }) => name === 'read',
    );
    if (listed && JSON.stringify(listed) !== JSON.stringify(READ))
      leaks.push(`${JSON.stringify(change)} is listed as ${JSON.stringify(listed)}`);
  }
  const count = asked.length + told.length + changes.length;
  console.log(`mcp: ${count} evasions, ${leaks.length} leaks`);
  expect(leaks).toEqual([]);
  expect(count).toBeGreaterThanOrEqual(150);
});

test('what is ordinary passes', async () => {
  const { requests, answers } = corpus('ordinary.yaml');
  const { judge } = await judgeFor(TOOLS);
  const stopped: string[] = [];
  const asked = cases(requests);
  for (const one of asked) {
    const { answer, held } = await judge.judge(commandOf(one));
    if (answer.type !== 'allow' || held)
      stopped.push(`${one.body}: ${answer.type === 'deny' ? answer.message : 'held'}`);
  }
  const told = cases(answers);
  for (const one of told) {
    const given = answered(judge, await judge.judge(commandOf(CALL)), one);
    const said = one.form.events ? given.replace(/^id: 1\ndata: /, '').trim() : given;
    if (JSON.stringify(JSON.parse(said)) !== JSON.stringify(JSON.parse(one.body)))
      stopped.push(`${one.body} gave ${given}`);
  }
  const count = asked.length + told.length;
  console.log(`mcp: ${count} ordinary messages, ${stopped.length} stopped`);
  expect(stopped).toEqual([]);
  expect(count).toBeGreaterThanOrEqual(100);
});
