/**
 * examples/agents: each agent as its folder is written, against a scripted model, with a database, a machine, an API and a server of MCP behind the
 * gateway of examples/agents/sluice.yaml. What comes from npm is installed by `npm test` (compatibility/agents); Claude Code and Codex are
 * too large for that.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { operatorLog } from '@sluice/audit';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type PostgresServer,
  type SshdServer,
  findTool,
  missingPostgres,
  missingSshd,
  startPostgres,
  startSshd,
  temporaryFolder,
} from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';
import { ROOT } from '../src/root.js';
import { LAST_WORDS, ScriptedModel } from './scripted-model.js';
import { run } from './ssh-stand.js';

const CLAUDE = process.env['SLUICE_CLAUDE_CODE'];
const CODEX = process.env['SLUICE_CODEX'];
const EXAMPLES = join(ROOT, 'examples', 'agents');
const PACKAGES = join(ROOT, 'compatibility', 'agents', 'node_modules');
const missing = missingPostgres(18) ?? missingSshd();
const fromNpm = missing ?? (existsSync(join(PACKAGES, '.installed')) ? undefined : 'no agents from npm');
/** A whole agent has to start. */
const AGENT_MS = 120_000;

const STEPS = [
  { tool: 'query', input: { connection: 'shop', sql: 'select name, email from customers order by id' } },
  { tool: 'query', input: { connection: 'shop', sql: 'drop table customers' } },
  { tool: 'exec', input: { connection: 'vm', command: 'ls /' } },
  { tool: 'exec', input: { connection: 'vm', command: 'rm -rf /srv/shop' } },
  { tool: 'request', input: { connection: 'orders', path: '/late' } },
  { tool: 'search', input: { text: 'late' } },
];

describe(`agents${missing === undefined ? '' : ` (${missing})`}`, () => {
  const { path: folder, remove } = temporaryFolder('agents');
  const model = new ScriptedModel(STEPS);
  let database: PostgresServer;
  let machine: SshdServer;
  let service: Server;
  let gateway: Gateway;
  let environment: Record<string, string>;

  beforeAll(async () => {
    if (missing !== undefined) return;
    [database, machine] = await Promise.all([startPostgres({ major: 18 }), startSshd()]);
    const { host, port, user, password } = database;
    const client = new pg.Client({ host, port, user, password, database: database.database });
    await client.connect();
    await client.query(
      "create table customers (id int, name text, email text); insert into customers values (1, 'Ann', 'ann@example.org')",
    );
    await client.end();
    service = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        if (request.url !== '/mcp') {
          response.end(`${request.method} ${request.url}: order 7 is late`);
          return;
        }
        const tools = new McpServer({ name: 'tickets', version: '1.0.0' });
        const inputSchema = { text: z.string() };
        tools.registerTool('search', { inputSchema, annotations: { readOnlyHint: true } }, ({ text }) => ({
          content: [{ type: 'text', text: `ticket 3 is about ${text} orders, says bob@example.org` }],
        }));
        tools.registerTool('close', { inputSchema, annotations: { destructiveHint: true } }, () => ({ content: [] }));
        const transport = new StreamableHTTPServerTransport();
        const body = Buffer.concat(parts).toString();
        void tools
          .connect(transport as Transport)
          .then(() => transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body)));
      });
    });
    await new Promise<void>((resolve) => void service.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const file = join(folder, 'sluice.yaml');
    writeFileSync(file, stringify(configuration(url)));
    gateway = await Gateway.start(
      readConfiguration(file).config,
      operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent'),
    );
    const { token } = await gateway.identity.createToken({ principal: 'assistant', name: 'test' });
    const base = await model.open();
    environment = {
      PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      SLUICE_URL: `http://${gateway.addresses.get('http')}`,
      SLUICE_TOKEN: token,
      OPENAI_API_KEY: 'of-the-double',
      OPENAI_BASE_URL: `${base}/v1`,
      ANTHROPIC_API_KEY: 'of-the-double',
      ANTHROPIC_BASE_URL: base,
    };
  }, 180_000);
  afterAll(async () => {
    model.close();
    await gateway?.stop();
    service?.closeAllConnections();
    service?.close();
    await Promise.all([database?.stop(), machine?.stop()]);
    remove();
  });
  beforeEach(() => {
    model.results = [];
  });

  /** The file of the examples, with the servers of the test in place of those that it names. */
  function configuration(url: string): object {
    const whole = parse(readFileSync(join(EXAMPLES, 'sluice.yaml'), 'utf8'));
    const { shop, vm, orders, tickets } = whole.connections;
    shop.target = { host: database.host, port: database.port, database: database.database, tls: 'disable' };
    shop.credential = { user: database.user, password: database.password };
    vm.target = { host: machine.host, port: machine.port, host_keys: { keys: [machine.hostKey] } };
    vm.credential = { user: machine.user, private_key: `\${file:${machine.keyFile}}` };
    orders.target = { url };
    tickets.target = { url: `${url}/mcp` };
    orders.credential = tickets.credential = { bearer: 'of-the-service' };
    const listeners = {
      postgres: { port: 0 },
      ssh: { port: 0 },
      http: { address: '127.0.0.1', port: 0, tls: 'off', require_tls: false },
    };
    return { ...whole, data: 'data', control: { port: 0 }, listeners };
  }

  /** What the model was told of each call. */
  const told = (words: string): void => {
    expect(words).toContain(LAST_WORDS);
    const [rows, dropped, listed, removed, late, found, ...others] = model.results;
    expect(rows).toContain('Ann');
    expect(rows).not.toContain('ann@example.org');
    expect(dropped).toContain('Assistants destroy nothing.');
    expect(listed).toContain('etc');
    expect(removed).toContain('Assistants destroy nothing.');
    expect(late).toContain('GET /late: order 7 is late');
    expect(found).toContain('ticket 3 is about late orders');
    expect(found).not.toContain('bob@example.org');
    expect(others).toEqual([]);
  };

  /** A copy of a folder of the examples, with the packages that `npm install` would get. */
  const copied = (name: string): string => {
    const to = join(folder, name);
    cpSync(join(EXAMPLES, name), to, { recursive: true });
    if (existsSync(join(to, 'package.json'))) symlinkSync(PACKAGES, join(to, 'node_modules'));
    return to;
  };
  const said = async (program: string, args: readonly string[], options: object): Promise<string> => {
    const { stdout, stderr } = await run(program, [...args], { env: environment, ...options });
    return `${stdout.toString()}${stderr}`;
  };

  test.skipIf(fromNpm !== undefined)(
    'the OpenAI Agents SDK, by itself and by cron',
    { timeout: AGENT_MS },
    async () => {
      const cwd = copied('openai-agents');
      told(await said(process.execPath, ['agent.mjs', 'Which orders are late?'], { cwd }));
      const script = join(copied('cron'), 'assistant.sh');
      const file = join(folder, 'token');
      writeFileSync(file, environment['SLUICE_TOKEN'] ?? '', { mode: 0o600 });
      const { SLUICE_TOKEN: _, ...env }: NodeJS.ProcessEnv = { ...environment, TOKEN_FILE: file };
      model.results = [];
      told(await said(script, [], { env }));
      chmodSync(file, 0o644);
      expect(await said(script, [], { env })).toContain('can be read by others');
    },
  );

  test.skipIf(fromNpm !== undefined)('LangChain', { timeout: AGENT_MS }, async () => {
    told(await said(process.execPath, ['agent.mjs', 'Which orders are late?'], { cwd: copied('langchain') }));
  });

  test.skipIf(fromNpm !== undefined || !findTool('bash'))(
    'a job of GitHub Actions',
    { timeout: AGENT_MS },
    async () => {
      const stepsOf = (file: string, job: string): { name?: string; run?: string }[] =>
        parse(readFileSync(join(ROOT, 'examples', file), 'utf8')).jobs[job].steps;
      const [, login, ask] = stepsOf('agents/github-actions/assistant.yml', 'assistant');
      // The step that gets a token is the one that gateway/test/pipelines.test.ts runs.
      const [tried] = stepsOf('pipelines/github-actions.yml', 'notes');
      expect(login?.run).toBe(tried?.run?.replace('OPENAI_API_KEY', 'SLUICE_TOKEN'));
      const cwd = join(folder, 'checkout');
      mkdirSync(cwd);
      cpSync(join(EXAMPLES, 'openai-agents'), cwd, { recursive: true });
      symlinkSync(PACKAGES, join(cwd, 'node_modules'));
      // A double of npm: what it would install is there.
      mkdirSync(join(cwd, 'bin'));
      writeFileSync(join(cwd, 'bin', 'npm'), '#!/bin/sh\n', { mode: 0o755 });
      const env = { ...environment, PATH: `${join(cwd, 'bin')}:${environment['PATH']}` };
      told(await said('bash', ['-e', '-c', ask?.run ?? ''], { cwd, env }));
      expect(readFileSync(join(cwd, 'answer.md'), 'utf8')).toContain(LAST_WORDS);
    },
  );

  test.skipIf(missing !== undefined || CLAUDE === undefined)(
    'Claude Code (SLUICE_CLAUDE_CODE names its program)',
    { timeout: AGENT_MS },
    async () => {
      const cwd = copied('claude-code');
      const env = {
        ...environment,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        // Tools are told to the model as they are, and not only to be looked for.
        ENABLE_TOOL_SEARCH: 'false',
      };
      const args = ['-p', 'Which orders are late?', '--mcp-config', '.mcp.json', '--strict-mcp-config'];
      args.push('--allowedTools', 'mcp__gateway,mcp__tickets');
      told(await said(CLAUDE as string, args, { cwd, env }));
    },
  );

  test.skipIf(missing !== undefined || CODEX === undefined)(
    'Codex (SLUICE_CODEX names its program)',
    { timeout: AGENT_MS },
    async () => {
      const home = copied('codex');
      const servers = readFileSync(join(home, 'config.toml'), 'utf8').replaceAll(
        'https://gateway.example:8443',
        environment['SLUICE_URL'] ?? '',
      );
      const double = `model = "double"\nmodel_provider = "double"\napproval_policy = "never"\n[model_providers.double]\nname = "double"\nbase_url = "${environment['OPENAI_BASE_URL']}"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\n`;
      writeFileSync(join(home, 'config.toml'), `${double}\n${servers}`);
      const args = [
        'exec',
        '--skip-git-repo-check',
        '--dangerously-bypass-approvals-and-sandbox',
        'Which orders are late?',
      ];
      told(await said(CODEX as string, args, { cwd: home, env: { ...environment, CODEX_HOME: home } }));
    },
  );
});
