/**
 * What a call of the gateway's own tool `query` costs beside the same statement by a driver through the gateway. Owns: the measurement and its page.
 * Does not own: the gateway's process (`setting.ts`).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { cpuOf, machine, median, shuffled, spread } from './measure.js';
import { end, spawnGateway } from './setting.js';

/** Of each way and statement, in one round. */
const CALLS = 20;

const STATEMENTS: Readonly<Record<string, string>> = {
  'one value': 'select 1 as n',
  '200 rows of 100 bytes': "select n, repeat('x', 100) as filler from generate_series(1, 200) n",
};

/** A way to run one statement. */
interface Way {
  readonly name: string;
  run(sql: string): Promise<void>;
}

export async function benchMcp({ rounds }: { readonly rounds: number }): Promise<string> {
  const server = await startPostgres({ major: 15, settings: { synchronous_commit: 'off', autovacuum: 'off' } });
  const { path, remove } = temporaryFolder('mcp');
  const tools = await freePort();
  const gateway = await spawnGateway(join(path, 'gateway'), configuration(server.port), { tools });
  const { port, token } = gateway;
  const client = { host: '127.0.0.1', port, user: 'bench', password: token, database: 'target' };
  const { user, password } = server;
  const kept = new pg.Client(client);
  await kept.connect();
  const ways: readonly Way[] = [
    {
      name: 'direct, connecting',
      run: (sql) => connecting({ ...client, port: server.port, user, password, database: 'postgres' }, sql),
    },
    { name: 'pg, connecting', run: (sql) => connecting(client, sql) },
    { name: 'pg, connected', run: async (sql) => void (await kept.query(sql)) },
    { name: 'query', run: (sql) => calling(`http://127.0.0.1:${tools}/mcp`, token, sql) },
  ];
  try {
    const report = [
      '# A query by the tool of the gateway',
      '',
      `\`pnpm bench mcp\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; PostgreSQL 15; ${rounds} rounds of ${CALLS} calls of each way, order random in each. Each call of \`query\` is a session of its own, as that of a driver that connects. Medians in ms; in brackets the middle half. Machines are shared: trust the ratios.`,
      '',
      '| statement | way | ms | CPU ms of the gateway |',
      '| --- | --- | --- | --- |',
      ...(await measured(ways, gateway.child.pid ?? 0, rounds)),
    ];
    const text = `${report.join('\n')}\n`;
    writeFileSync(join(import.meta.dirname, '..', 'results', 'mcp.md'), text);
    return text;
  } finally {
    await kept.end();
    await end(gateway.child);
    await server.stop();
    remove();
  }
}

const configuration = (port: number): string => `connections:
  target:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    policies: [all]
policies:
  all:
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: No. }
`;

async function measured(ways: readonly Way[], pid: number, rounds: number): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, sql] of Object.entries(STATEMENTS)) {
    const times = new Map(ways.map((way) => [way, { ms: [] as number[], cpu: [] as number[] }]));
    for (const way of ways) await way.run(sql);
    for (let round = 0; round < rounds; round++)
      for (const way of shuffled(ways)) {
        const before = cpuOf(pid);
        for (let call = 0; call < CALLS; call++) {
          const start = performance.now();
          await way.run(sql);
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
  return `${median(values).toFixed(1)} (${low.toFixed(1)}-${high.toFixed(1)})`;
}

async function connecting(config: pg.ClientConfig, sql: string): Promise<void> {
  const client = new pg.Client(config);
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** The revision without sessions: one request for each call. */
const VERSION = '2026-07-28';

async function calling(url: string, token: string, sql: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'mcp-protocol-version': VERSION,
      'mcp-method': 'tools/call',
      'mcp-name': 'query',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'query',
        arguments: { connection: 'target', sql },
        _meta: { 'io.modelcontextprotocol/protocolVersion': VERSION },
      },
    }),
  });
  const { result } = (await response.json()) as { readonly result?: { readonly isError?: boolean } };
  if (!result || result.isError === true) throw new Error(`the call failed: ${JSON.stringify(result)}`);
}
