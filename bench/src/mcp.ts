/**
 * What a call of a tool costs through the gateway beside the same call of its server, and the gateway's own tool `query` beside the same statement by
 * psql and by a driver through the gateway. Owns: the measurement and its page. Does not own: the gateway's process (`setting.ts`).
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool, freePort, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { cpuOf, machine, median, shuffled, spread } from './measure.js';
import { end, spawnGateway } from './setting.js';

/** Of each way and statement, in one round. */
const CALLS = 30;

const STATEMENTS: Readonly<Record<string, string>> = {
  'one value': 'select 1 as n',
  '200 rows of 100 bytes': "select n, repeat('x', 100) as filler from generate_series(1, 200) n",
};

/** A way to run one statement, or to make one call. */
interface Way {
  readonly name: string;
  run(): Promise<unknown>;
}

/** What is done by each of several ways. */
interface Work {
  readonly name: string;
  readonly ways: readonly Way[];
}

export async function benchMcp({ rounds }: { readonly rounds: number }): Promise<string> {
  const server = await startPostgres({ major: 15, settings: { synchronous_commit: 'off', autovacuum: 'off' } });
  const { path, remove } = temporaryFolder('mcp');
  const tools = await freePort();
  const target = await startTools();
  const at = (target.address() as AddressInfo).port;
  const gateway = await spawnGateway(join(path, 'gateway'), configuration(server.port, at), { tools });
  const { port, token } = gateway;
  const client = { host: '127.0.0.1', port, user: 'bench', password: token, database: 'target' };
  const { user, password } = server;
  const own = { ...client, port: server.port, user, password, database: 'postgres' };
  const kept = new pg.Client(client);
  await kept.connect();
  const address = `http://127.0.0.1:${tools}`;
  const statements = Object.entries(STATEMENTS).map(
    ([name, sql]): Work => ({
      name,
      ways: [
        { name: 'psql, direct', run: () => psql(own, sql) },
        { name: 'psql', run: () => psql(client, sql) },
        { name: 'pg, connecting, direct', run: () => connecting(own, sql) },
        { name: 'pg, connecting', run: () => connecting(client, sql) },
        { name: 'pg, connected', run: () => kept.query(sql) },
        { name: 'query', run: () => calling(`${address}/mcp`, token, 'query', { connection: 'target', sql }) },
      ],
    }),
  );
  const calls = Object.entries(ANSWERS).map(
    ([name, bytes]): Work => ({
      name,
      ways: [
        { name: 'direct', run: () => calling(`http://127.0.0.1:${at}/mcp`, token, 'read', { bytes }) },
        { name: 'through', run: () => calling(`${address}/tools`, token, 'read', { bytes }) },
        { name: 'through, masked', run: () => calling(`${address}/masked`, token, 'read', { bytes }) },
      ],
    }),
  );
  try {
    const pid = gateway.child.pid ?? 0;
    const report = [
      '# Tools by MCP',
      '',
      `\`pnpm bench mcp\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; ${rounds} rounds of ${CALLS} calls of each way, order random in each. Medians in ms; in brackets the middle half. Machines are shared: trust the ratios.`,
      '',
      '## A call of a tool of a server',
      '',
      'The server answers from memory, in the process that measures, by the revision without sessions. Masked: detectors look for addresses, cards and keys in what it answers.',
      '',
      ...(await measured(calls, pid, rounds)),
      '',
      '## A query by the tool of the gateway',
      '',
      'PostgreSQL 15. Each call of `query` is a session of its own, as that of a driver that connects; psql is a process that starts each time.',
      '',
      ...(await measured(statements, pid, rounds)),
    ];
    const text = `${report.join('\n')}\n`;
    writeFileSync(join(import.meta.dirname, '..', 'results', 'mcp.md'), text);
    return text;
  } finally {
    await kept.end();
    await end(gateway.child);
    target.closeAllConnections();
    target.close();
    await server.stop();
    remove();
  }
}

/** Bytes of text in an answer. */
const ANSWERS: Readonly<Record<string, number>> = { '100 bytes': 100, '64 KiB': 64 * 1024 };

/** A server of one tool, which costs as little as one can. */
async function startTools(): Promise<Server> {
  const tool = { name: 'read', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { id, method, params } = JSON.parse(body) as {
        readonly id: unknown;
        readonly method: string;
        readonly params: { readonly arguments?: { readonly bytes: number } };
      };
      const text = 'an order of the shop, '.repeat(Math.ceil((params.arguments?.bytes ?? 0) / 22));
      const result = method === 'tools/list' ? { tools: [tool] } : { content: [{ type: 'text', text }] };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server;
}

const configuration = (port: number, tools: number): string => `connections:
  target:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    policies: [all]
  tools:
    protocol: http
    target: { url: "http://127.0.0.1:${tools}/mcp" }
    access: ["group:engineers"]
    policies: [all]
    mcp: {}
  masked:
    protocol: http
    target: { url: "http://127.0.0.1:${tools}/mcp" }
    access: ["group:engineers"]
    policies: [all, masks]
    mcp: {}
policies:
  all:
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: No. }
  masks:
    - { rule: found, mask: { detect: [email, credit_card, api_key] } }
`;

async function measured(works: readonly Work[], pid: number, rounds: number): Promise<string[]> {
  const lines = ['| what | way | ms | CPU ms of the gateway |', '| --- | --- | --- | --- |'];
  for (const { name, ways } of works) {
    const times = new Map(ways.map((way) => [way, { ms: [] as number[], cpu: [] as number[] }]));
    // Code that has run a few times only is another one for the engine.
    for (const way of ways) for (let call = 0; call < CALLS; call++) await way.run();
    for (let round = 0; round < rounds; round++)
      for (const way of shuffled(ways)) {
        const before = cpuOf(pid);
        for (let call = 0; call < CALLS; call++) {
          const start = performance.now();
          await way.run();
          times.get(way)?.ms.push(performance.now() - start);
        }
        times.get(way)?.cpu.push((cpuOf(pid) - before) / 1000 / CALLS);
      }
    for (const [way, { ms, cpu }] of times) lines.push(`| ${name} | ${way.name} | ${cell(ms)} | ${cell(cpu)} |`);
  }
  return lines;
}

function cell(values: readonly number[]): string {
  const [low, high] = spread(values);
  return `${median(values).toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
}

const PSQL = findTool('psql') ?? 'psql';

async function psql({ host, port, user, password, database }: pg.ClientConfig, sql: string): Promise<void> {
  const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGDATABASE: database, PGPASSWORD: String(password) };
  await promisify(execFile)(PSQL, ['-X', '-q', '-A', '-t', '-c', sql], { env });
}

async function connecting(config: pg.ClientConfig, sql: string): Promise<void> {
  const client = new pg.Client(config);
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** The revision without sessions: one request for each call. */
const VERSION = '2026-07-28';

async function calling(url: string, token: string, name: string, args: object): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': VERSION,
      'mcp-method': 'tools/call',
      'mcp-name': name,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: args, _meta: { 'io.modelcontextprotocol/protocolVersion': VERSION } },
    }),
  });
  const { result } = (await response.json()) as { readonly result?: { readonly isError?: boolean } };
  if (!result || result.isError === true) throw new Error(`the call failed: ${JSON.stringify(result)}`);
}
