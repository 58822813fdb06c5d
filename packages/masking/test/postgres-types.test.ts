import { missingPostgres, type PostgresServer, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type WireFormat, maskFor, type MaskOptions, type Mode } from '../src/index.js';
import { made, type Sample, SAMPLES } from './types.js';

const FORMATS: readonly WireFormat[] = ['text', 'binary'];
const MODES: readonly Mode[] = [
  { type: 'redact' },
  { type: 'partial' },
  { type: 'hash' },
  { type: 'generalise' },
  { type: 'null' },
];
const options = (mode: Mode): MaskOptions => ({ mode, key: Buffer.alloc(32, 7), entity: 'EMAIL' });
/** Of what generated values there are of each expression that has a `g`. */
const GENERATED = 6;

describe.each([15, 18] as const)('PostgreSQL %i takes what the masks make', (major) => {
  const missing = missingPostgres(major);
  let server: PostgresServer;
  let client: pg.Client;
  const oids = new Map<string, number>();

  beforeAll(async () => {
    if (missing !== undefined) return;
    server = await startPostgres({ major });
    const { host, port, user, password, database } = server;
    client = new pg.Client({ host, port, user, password, database });
    await client.connect();
    await client.query(`
      create type mood as enum ('calm', 'it''s, "odd"', 'sad');
      create type pair as (a int4, b text, c date, d mood, e varchar(5));
      create domain zip as text;
      create type floats as range (subtype = float8);
      select setseed(0.5);
      set synchronous_commit = off;`);
    for (const extension of ['hstore', 'citext'])
      await client.query(`create extension if not exists ${extension}`).catch(() => undefined);
    const { rows } = await client.query<{ typname: string; oid: number }>('select typname, oid from pg_type');
    for (const { typname, oid } of rows) oids.set(typname, oid);
  });
  afterAll(async () => {
    await client?.end();
    await server?.stop();
  });

  /** The values as the server sends them in a format, by the functions of their type that make them. */
  async function sent({ sql, values }: Sample, format: WireFormat): Promise<Buffer[]> {
    const { rows: types } = await client.query<{ typsend: string; typoutput: string }>(
      "select typsend, typoutput from pg_type where oid = (select atttypid from pg_attribute where attrelid = 'source'::regclass and attname = 'v')",
    );
    const [{ typsend, typoutput }] = types as [{ typsend: string; typoutput: string }];
    const value = typsend === 'textsend' ? 'v::text' : 'v';
    const bytes = format === 'binary' ? `${typsend}(${value})` : `convert_to(textin(${typoutput}(${value})), 'UTF8')`;
    const { rows } = await client.query<{ hex: string }>(
      `select encode(${bytes}, 'hex') as hex from source order by array_position($1, n), g`,
      [values],
    );
    expect(rows.length, sql).toBeGreaterThanOrEqual(values.length);
    return rows.map(({ hex }) => Buffer.from(hex, 'hex'));
  }

  async function store({ sql, values }: Sample): Promise<void> {
    await client.query(
      `drop table if exists source, target; create table source (n text, g int, v ${sql}); create table target (id int, v ${sql})`,
    );
    for (const value of values) {
      const count = /\bg\b|random/.test(value) ? GENERATED : 1;
      await client.query(`insert into source select $1, g, (${value})::${sql} from generate_series(1, ${count}) g`, [
        value,
      ]);
    }
  }

  const missingType = (sample: Sample): boolean => ['hstore', 'citext'].includes(sample.sql) && !oids.has(sample.sql);

  async function check(sample: Sample): Promise<void> {
    await store(sample);
    const raw = { text: await sent(sample, 'text'), binary: await sent(sample, 'binary') };
    const { rows: originals } = await client.query<{ v: string }>(
      'select v::text as v from source order by array_position($1, n), g',
      [sample.values],
    );
    for (const mode of MODES) {
      const results: Record<WireFormat, (string | null)[]> = { text: [], binary: [] };
      for (const format of FORMATS) {
        const mask = maskFor(sample.type, format, options(mode));
        for (const [n, value] of raw[format].entries()) {
          // In the middle of other bytes, as it comes in a row.
          const bytes = Buffer.concat([Buffer.from('{"x'), value, Buffer.from('"}9')]);
          const masked = mask(bytes, 3, 3 + value.length);
          if (masked === null || masked === undefined) {
            expect(masked, `${mode.type} of ${originals[n]?.v}`).toBeNull();
            results[format].push(null);
            continue;
          }
          const parameter = format === 'binary' ? Buffer.from(masked) : masked.toString('utf8');
          const { rows } = await client
            .query<{ v: string }>('insert into target (v) values ($1) returning v::text as v', [parameter])
            .catch((error: unknown) => {
              throw new Error(`${mode.type}, ${format}, of ${originals[n]?.v}: ${masked.toString('latin1')}`, {
                cause: error,
              });
            });
          results[format].push(rows[0]?.v ?? '');
        }
      }
      expect(results.text, `${mode.type}: both formats say the same`).toEqual(results.binary);
      expect(
        leaks(
          mode,
          originals.map(({ v }) => v),
          results.text,
        ),
        `${mode.type} passes values`,
      ).toEqual([]);
    }
  }

  /** Bytes that a server would not send, or not for this type: what is made of them it takes as well, or it is NULL. */
  async function checkDamaged(sample: Sample): Promise<void> {
    await store(sample);
    // Most of what masks make of damaged values is the same.
    const taken = new Set<string>();
    for (const format of FORMATS) {
      for (const damaged of new Set((await sent(sample, format)).flatMap(damages))) {
        for (const mode of MODES) {
          const masked = maskFor(sample.type, format, options(mode))(damaged, 0, damaged.length);
          expect(masked).toBeDefined();
          const key = `${format} ${masked?.toString('latin1')}`;
          if (masked === null || masked === undefined || taken.has(key)) continue;
          taken.add(key);
          const parameter = format === 'binary' ? Buffer.from(masked) : masked.toString('utf8');
          await client.query('insert into target (v) values ($1)', [parameter]).catch((error: unknown) => {
            const what = `${mode.type}, ${format}, of ${damaged.toString('latin1')}: ${masked.toString('latin1')}`;
            throw new Error(what, { cause: error });
          });
        }
      }
    }
  }

  test.skipIf(missing).each(SAMPLES.map((sample): [string, Sample] => [sample.sql, sample]))(
    'damaged %s',
    async (_, sample) => {
      await checkDamaged(sample);
    },
  );

  test.skipIf(missing).each(SAMPLES.map((sample): [string, Sample] => [sample.sql, sample]))(
    '%s',
    async (_, sample) => {
      await check(sample);
    },
  );

  test.skipIf(missing).each(Array.from({ length: made(new Map()).length }, (_, n) => n))(
    'a type that the database made, %i',
    async (n) => {
      const sample = made(oids)[n] as Sample;
      if (!missingType(sample)) await check(sample);
    },
  );
});

/** A byte changed, lost or added, at a few places. */
function damages(value: Buffer): Buffer[] {
  const places = Array.from({ length: 6 }, (_, n) => Math.floor((value.length * n) / 6));
  return places.flatMap((at, n) => {
    const changed = Buffer.from(value);
    if (at < changed.length) changed[at] = (changed[at] as number) ^ (1 << (n % 4));
    return [changed, Buffer.concat([value.subarray(0, at), value.subarray(at + 1)]), value.subarray(0, at)];
  });
}

/** Values that are in what was made of them, where the mode keeps nothing. Short ones can be there by chance. */
function leaks(mode: Mode, originals: readonly string[], masked: readonly (string | null)[]): string[] {
  if (mode.type !== 'redact' && mode.type !== 'hash') return [];
  return originals.filter(
    (value, n) => value.length > 4 && /[1-9a-z]/i.test(value) && masked[n] === value && !NEUTRAL.has(value),
  );
}

/** What redaction itself makes. */
const NEUTRAL = new Set(['2000-01-01', '2000-01-01 00:00:00', 'empty', '00:00:00']);
