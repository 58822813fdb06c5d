/**
 * What definitions cost through masks: each is followed by a statement that has to know of it. Owns: the schema, the measurement
 * and its page. Does not own: the definitions (`definitions-kinds.ts`), restores (`definitions-restore.ts`), the gateway's process
 * (`setting.ts`).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { KINDS, SETUP } from './definitions-kinds.js';
import { type Way, restored, startRelay } from './definitions-restore.js';
import { cpuOf, machine, median, shuffled, spread } from './measure.js';
import { end, spawnGateway } from './setting.js';

const TABLES = 1000;
/** Of each kind, in one round. */
const DEFINITIONS = 20;

export async function benchDefinitions({ rounds }: { readonly rounds: number }): Promise<string> {
  const server = await startPostgres({
    major: 15,
    tls: true,
    settings: { synchronous_commit: 'off', autovacuum: 'off' },
  });
  const { path, remove } = temporaryFolder('definitions');
  const base = { user: server.user, password: server.password, database: 'postgres' };
  const direct: Way = { name: 'direct', port: server.port, ...base };
  const extensions = await fill(direct);
  const gateway = await spawnGateway(join(path, 'gateway'), configuration(server.port));
  const masked: Way = {
    name: 'masked',
    port: gateway.port,
    user: 'bench',
    password: gateway.token,
    database: 'target',
  };
  const relay = await startRelay(server.port);
  try {
    const report = [
      '# Definitions through masks',
      '',
      `\`pnpm bench definitions\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; PostgreSQL 15, ${TABLES} tables of 10 columns, ${extensions}; one column masked; ${rounds} rounds of ${DEFINITIONS} definitions of each kind, order random in each. Each definition is committed by itself, and a statement behind it reads what it has made. Medians; in brackets the middle half. Machines are shared: trust the ratios.`,
      '',
      '| definition and the statement behind it | direct ms | masked ms | more ms | CPU ms of the gateway |',
      '| --- | --- | --- | --- | --- |',
      ...(await definitions(direct, masked, gateway.child.pid ?? 0, rounds)),
      '',
      ...(await restored(path, [direct, masked, { ...direct, name: 'relay', port: relay.port }], rounds)),
    ];
    const text = `${report.join('\n')}\n`;
    writeFileSync(join(import.meta.dirname, '..', 'results', 'definitions.md'), text);
    return text;
  } finally {
    relay.end();
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
    policies: [masks]
policies:
  masks:
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email], with: redact } }
`;

async function connected<T>(
  { port, user, password, database }: Way,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** @returns the extensions that there are, for people: postgis where this machine has it */
const fill = (way: Way): Promise<string> =>
  connected(way, async (client) => {
    const columns = Array.from({ length: 8 }, (_, at) => `c_${at} ${at % 2 === 0 ? 'int' : 'text'}`).join(', ');
    for (let n = 1; n <= TABLES; n++) await client.query(`create table t${n} (id int primary key, b int, ${columns})`);
    await client.query(`create table people (id int primary key, email text); ${SETUP}`);
    const wanted = ['postgis', 'citext', 'hstore', 'pg_trgm', 'ltree'];
    const { rows } = await client.query<{ name: string }>(
      'select name from pg_available_extensions where name = any ($1) order by 1',
      [wanted],
    );
    for (const { name } of rows) await client.query(`create extension ${name}`);
    return rows.map(({ name }) => name).join(', ');
  });

async function definitions(direct: Way, masked: Way, pid: number, rounds: number): Promise<string[]> {
  const times = new Map<string, number[]>();
  const cpu = new Map<string, number[]>();
  let n = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [kind, make] of shuffled(Object.entries(KINDS))) {
      for (const way of shuffled([direct, masked])) {
        const own = Array.from({ length: DEFINITIONS }, () => make(++n));
        await connected(way, async (client) => {
          for (const { before } of own) if (before !== undefined) await client.query(before);
          await client.query('select b from t10 limit 1');
          const started = cpuOf(pid);
          for (const { definition, behind } of own) {
            const key = `${kind} ${way.name}`;
            const begun = performance.now();
            await client.query(definition);
            await client.query(behind);
            times.set(key, [...(times.get(key) ?? []), performance.now() - begun]);
          }
          if (way === masked) cpu.set(kind, [...(cpu.get(kind) ?? []), (cpuOf(pid) - started) / 1000 / DEFINITIONS]);
        });
      }
    }
  }
  return Object.keys(KINDS).map((kind) => {
    const of = (way: Way): readonly number[] => times.get(`${kind} ${way.name}`) ?? [];
    const more = median(of(masked)) - median(of(direct));
    return `| ${kind} | ${figure(of(direct))} | ${figure(of(masked))} | **${more.toFixed(1)}** | ${figure(cpu.get(kind) ?? [])} |`;
  });
}

const figure = (values: readonly number[]): string => {
  const [low, high] = spread(values);
  return `${median(values).toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;
};
