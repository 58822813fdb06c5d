/**
 * Claude Code and Codex as they come from npm, with the file that `sluice client-config mcp` prints, against a scripted model: it asks for one call of
 * `query`, and says what came back.
 */
/* oxlint-disable typescript/no-explicit-any -- what clients send to a model, whatever its shape */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type McpStand, missingForTools, openMcpStand } from './mcp-tools-stand.js';
import { run } from './ssh-stand.js';

/** The programs of @anthropic-ai/claude-code and @openai/codex, which are too large to be installed for every test. */
const CLAUDE = process.env['SLUICE_CLAUDE_CODE'];
const CODEX = process.env['SLUICE_CODEX'];
const SQL = 'select name, mail from people order by id';

describe('agents from npm', () => {
  let stand: McpStand;
  let token: string;
  let model: Server;
  let base: string;
  const place = temporaryFolder('agents');
  /** What the model was told that came of its calls. */
  const results: string[] = [];
  const seen: string[] = [];
  const wanted = missingForTools === undefined && (CLAUDE !== undefined || CODEX !== undefined);

  beforeAll(async () => {
    if (!wanted) return;
    stand = await openMcpStand();
    token = await stand.token('dev');
    model = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const body = text === '' ? {} : JSON.parse(text);
        seen.push(`${request.method} ${request.url} ${(body.tools ?? []).map((one: any) => one.name).join(' ')}`);
        const events =
          request.url?.includes('/responses') === true ? responses(body, results) : messages(body, results);
        if (!events) {
          response.writeHead(404).end('{}');
          return;
        }
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(events.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join(''));
      });
    });
    await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    model?.closeAllConnections();
    model?.close();
    await stand?.stop();
    place.remove();
  });

  const isMasked = (text: string): void => {
    expect(text).toContain('[masked]');
    expect(text).toContain('Ann');
    expect(text).not.toContain('ann@example.org');
  };

  test.skipIf(!wanted || CLAUDE === undefined)(
    'Claude Code (SLUICE_CLAUDE_CODE names its program)',
    async () => {
      const config = join(place.path, 'mcp.json');
      const server = { type: 'http', url: stand.url, headers: { Authorization: 'Bearer ${SLUICE_TOKEN}' } };
      writeFileSync(config, JSON.stringify({ mcpServers: { sluice: server } }));
      const { stdout, stderr } = await run(
        CLAUDE as string,
        ['-p', 'Who is there?', '--mcp-config', config, '--strict-mcp-config', '--allowedTools', 'mcp__sluice__query'],
        {
          cwd: place.path,
          env: {
            HOME: place.path,
            ANTHROPIC_BASE_URL: base,
            ANTHROPIC_API_KEY: 'of-the-double',
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
            // Tools are told to the model as they are, and not only to be looked for.
            ENABLE_TOOL_SEARCH: 'false',
            SLUICE_TOKEN: token,
          },
        },
      );
      expect(`${stdout.toString()}${stderr}`).toContain('These are the people.');
      isMasked(results.at(-1) ?? seen.join('\n'));
    },
    120_000,
  );

  test.skipIf(!wanted || CODEX === undefined)(
    'Codex (SLUICE_CODEX names its program)',
    async () => {
      const home = join(place.path, 'codex');
      mkdirSync(home, { recursive: true });
      writeFileSync(
        join(home, 'config.toml'),
        `model = "double"\nmodel_provider = "double"\napproval_policy = "never"\n[model_providers.double]\nname = "double"\nbase_url = "${base}/v1"\nenv_key = "DOUBLE_KEY"\nwire_api = "responses"\n[mcp_servers.sluice]\nurl = "${stand.url}"\nbearer_token_env_var = "SLUICE_TOKEN"\n`,
      );
      const { stdout, stderr } = await run(
        CODEX as string,
        ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', 'Who is there?'],
        { cwd: home, env: { HOME: home, CODEX_HOME: home, DOUBLE_KEY: 'of-the-double', SLUICE_TOKEN: token } },
      );
      expect(`${stdout.toString()}${stderr}`).toContain('These are the people.');
      isMasked(results.at(-1) ?? '');
    },
    120_000,
  );
});

/** Anthropic's Messages: a call of the tool until there is its result, and then a sentence. */
function messages(body: any, results: string[]): any[] | undefined {
  if (!Array.isArray(body.messages)) return undefined;
  const last = body.messages.at(-1);
  const result = Array.isArray(last?.content) ? last.content.find((one: any) => one.type === 'tool_result') : undefined;
  if (result) results.push(JSON.stringify(result.content));
  const calls = !result && (body.tools ?? []).some((one: any) => one.name === 'mcp__sluice__query');
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: body.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  const input = JSON.stringify({ connection: 'db', sql: SQL });
  const block = calls
    ? [
        {
          type: 'content_block_start',
          index: 0,
          content_block: { type: 'tool_use', id: 'toolu_1', name: 'mcp__sluice__query', input: {} },
        },
        { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: input } },
      ]
    : [
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'These are the people.' } },
      ];
  return [
    { type: 'message_start', message },
    ...block,
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: calls ? 'tool_use' : 'end_turn', stop_sequence: null }, usage },
    { type: 'message_stop' },
  ];
}

/** OpenAI's Responses, the same. */
function responses(body: any, results: string[]): any[] {
  const result = (body.input ?? []).findLast((one: any) => one.type === 'function_call_output');
  if (result) results.push(JSON.stringify(result.output));
  const found = (body.tools ?? []).flatMap((one: any) =>
    one.type === 'namespace'
      ? one.tools.map((inner: any) => ({ namespace: one.name, name: inner.name }))
      : [{ name: one.name }],
  );
  const query = found.find((one: any) => /(^|_)query$/.test(one.name ?? ''));
  const item =
    result || !query
      ? {
          type: 'message',
          role: 'assistant',
          id: 'msg_1',
          content: [{ type: 'output_text', text: 'These are the people.', annotations: [] }],
        }
      : {
          type: 'function_call',
          id: 'fc_1',
          call_id: 'call_1',
          ...query,
          arguments: JSON.stringify({ connection: 'db', sql: SQL }),
        };
  const usage = {
    input_tokens: 1,
    output_tokens: 1,
    total_tokens: 2,
    input_tokens_details: null,
    output_tokens_details: null,
  };
  return [
    { type: 'response.created', response: { id: 'resp_1' } },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: { id: 'resp_1', output: [item], usage } },
  ];
}
