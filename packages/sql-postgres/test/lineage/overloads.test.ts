import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newSession } from '../../src/lineage/index.js';
import { readCatalog } from '../../src/index.js';
import { type Database, startDatabase } from './database.js';

/**
 * Which function or operator a call means: asked of the server for each name that is there several times, with arguments of many
 * types. Where the lineage is certain it has to say what the server says; and it is certain of most.
 */

const TYPES =
  `int2 int4 int8 numeric float4 float8 text varchar bpchar name date timestamp timestamptz interval jsonb bool bytea
  int4[] text[] "char" oid regclass uuid money mood short counted`.split(/\s+/);
const OWN = `
create type mood as enum ('good', 'bad');
create domain short as varchar(10);
create domain counted as int4;
create function public.upper(varchar) returns int language sql immutable return 1;
create function public.length(int4) returns text language sql immutable return 'x';
create function public.max2(numeric) returns text language sql immutable return 'x';
create function public.max2(text) returns int language sql immutable return 1;
create function public.joined(anyelement, text) returns text language sql immutable as 'select text ''x''';
create function public.joined(int8, text) returns int language sql immutable return 1;
create operator public.+ (leftarg = text, rightarg = int4, function = pg_catalog.left);
create operator public.|| (leftarg = text, rightarg = text, function = pg_catalog.texteq);
create table samples (${TYPES.map((type, at) => `c${at} ${type}`).join()});
/** The type of each expression, or NULL where the server does not take it. Nothing is computed: there are no rows. */
create function told(expressions text[]) returns json language plpgsql as $$
declare told text[]; one text; type text;
begin
  foreach one in array expressions loop
    begin
      execute pg_catalog.concat('select pg_typeof(x)::oid::text from (select ', one, ' as x from samples where false) s right join (select 1) t on true') into type;
    exception when others then type := null;
    end;
    told := pg_catalog.array_append(told, type);
  end loop;
  return to_json(told);
end $$;`;

const columns = TYPES.map((_, at) => `c${at}`);
const operands = [...columns, "'1'", 'null', '1', '1.5', 'true'];
const pairs = operands.flatMap((one) => operands.map((other) => [one, other] as const));

/** Others for each name: all together they are most of them. */
const some = <T>(all: readonly T[], n: number): readonly T[] => all.filter((_, at) => at % 11 === n % 11);

describe.each([15, 18] as const)('overloads of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let database: Database;
  let extensions: string[] = [];
  beforeAll(async () => {
    database = await startDatabase(major);
    const rows = await database.query(
      "select name from pg_available_extensions where name in ('citext', 'hstore', 'intarray')",
    );
    extensions = rows.map(([name]) => name ?? '');
    for (const name of extensions) await database.query(`create extension ${name}`);
    await database.query(OWN);
    // Compiling costs more than these statements.
    await database.query('set jit to off');
    if (extensions.includes('citext')) await database.query('alter table samples add column folded citext');
  }, 60_000);
  afterAll(() => database.stop());

  /** How many of what the server takes are certain; throws where one of them is another type than the server says. */
  async function compared(expressions: readonly string[], path: string): Promise<number> {
    await database.query(`set search_path to ${path}`);
    const catalog = await readCatalog(database.query, database.lineage.parse);
    const session = newSession('postgres', path.split(', '));
    let [taken, certain] = [0, 0];
    const wrong: string[] = [];
    for (let at = 0; at < expressions.length; at += 500) {
      const some = expressions.slice(at, at + 500);
      const literal = `array[${some.map((one) => `$x$${one}$x$`).join()}]`;
      const [row] = await database.query(`select public.told(${literal})`);
      const told = JSON.parse(row?.[0] ?? '[]') as (string | null)[];
      for (const [index, one] of some.entries()) {
        const said = told[index];
        if (said === null || said === undefined) continue;
        taken++;
        const [output] =
          database.lineage.of(`select ${one} as x from public.samples`, catalog, session)[0]?.outputs ?? [];
        if (!output?.stored) continue;
        certain++;
        if (String(output.type) !== said) wrong.push(`${one}: ${output.type}, not ${said}`);
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
    return certain / taken;
  }
  const all = (): readonly string[] => (extensions.includes('citext') ? [...operands, 'folded'] : operands);

  test.each(['public', 'public, pg_catalog'])(
    'operators, on the path %s',
    async (path) => {
      const rows = await database.query(
        "select distinct oprname from pg_operator where oprleft <> 0 and oprkind = 'b'",
      );
      const names = rows.map(([name]) => name ?? '');
      const expressions = names.flatMap((name, n) => [
        ...some(pairs, n).map(([one, other]) => `${one} ${name} ${other}`),
        ...(all().includes('folded') ? all().flatMap((one) => [`folded ${name} ${one}`, `${one} ${name} folded`]) : []),
      ]);
      expect(await compared(expressions, path)).toBeGreaterThan(0.8);
    },
    180_000,
  );

  test.each(['public', 'public, pg_catalog'])(
    'functions, on the path %s',
    async (path) => {
      const rows = await database.query(
        `select proname, bool_or(pronargs = 1), bool_or(pronargs = 2) from pg_proc where prokind in ('f', 'a') and not proretset
        and proname !~ '^(pg_|_|binary_upgrade|lo_|set_config|nextval|setval)' and not exists (select from unnest(proargtypes) a (t) where t in (2281, 2275))
        group by 1 having count(*) > 1`,
      );
      const expressions = rows.flatMap(([name, one, two], n) => [
        ...(one === 't' ? all().map((operand) => `"${name}"(${operand})`) : []),
        ...(two === 't' ? some(pairs, n).map((pair) => `"${name}"(${pair.join()})`) : []),
      ]);
      expect(await compared(expressions, path)).toBeGreaterThan(0.5);
    },
    180_000,
  );

  test('CASE, COALESCE and GREATEST are of the type that the server makes of their parts', async () => {
    const expressions = some(pairs, 0).flatMap(([one, other]) => [
      `coalesce(${one}, ${other})`,
      `case when true then ${one} else ${other} end`,
      `case when true then ${one} when false then ${other} end`,
    ]);
    expect(await compared(expressions, 'public')).toBeGreaterThan(0.5);
  }, 60_000);
});
