import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellsOf, openLine, textOf } from './mask-corpus/line.js';
import { type Stand, openStand, targetOf } from './stand.js';

/**
 * Names that mean something else than they did, past the statement that gave them: SQL and the protocol share the names of prepared statements
 * and cursors, the server takes 63 bytes of each, and a CASCADE takes views of the session with it.
 */
const RULES = `
    - { rule: held, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 1m, fail: true } }
    - { rule: emails, mask: { columns: ["public.customers.email"], with: redact } }
`;
const SCHEMA = `
create table customers (id int primary key, email text);
insert into customers values (1, 'secret@example.com');
create table scratch (id int);
create schema free;
create table free.customers as select 'for everybody'::text as email;
create role owner;
grant temporary on database postgres to owner;
create role keeper;
create schema keeper;
create table keeper.customers as table free.customers;
grant usage on schema keeper to keeper;
grant select on keeper.customers to keeper;
`;
const HARMLESS = "select 'x'::text as email";
const ASK = "select email || '' from customers";
const LONG = 'n'.repeat(63);
/** 62 bytes, and the 63rd and 64th are one character: the server knows it by its first byte. */
const SPLIT = `${'\u00e9'.repeat(31)}\u00e9`;

type Message = readonly (string | number)[];
const query = (text: string): Message[] => [['Q', text]];
const prepared = (name: string, text: string): Message => ['P', name, text];
const bound = (portal: string, statement = ''): Message => ['B', portal, statement];
const executed = (portal = ''): Message => ['E', portal];
const closed = (kind: 'S' | 'P', name: string): Message => ['C', kind, name];
const plain = (text: string): Message[] => [prepared('', text), bound(''), executed()];

/** Messages, each stretch up to its Sync. */
const WAYS: Readonly<Record<string, readonly (readonly Message[])[]>> = {
  'a cursor closed by the protocol': [
    query('begin'),
    query(`declare c cursor for ${HARMLESS}`),
    [closed('P', 'c')],
    [prepared('', ASK), bound('c')],
    query('fetch all from c'),
  ],
  'a cursor closed by the protocol, in one pipeline with its declaration': [
    [
      ...plain('begin'),
      ...plain(`declare c cursor for ${HARMLESS}`),
      closed('P', 'c'),
      prepared('', ASK),
      bound('c'),
      ...plain('fetch all from c'),
    ],
  ],
  'a cursor that outlives its transaction, closed by the protocol': [
    query(`declare c cursor with hold for ${HARMLESS}`),
    [closed('P', 'c'), prepared('', ASK), bound('c'), ...plain('fetch all from c')],
  ],
  'a prepared statement closed by the protocol': [
    query(`prepare p as ${HARMLESS}`),
    [closed('S', 'p')],
    [prepared('p', ASK)],
    query('execute p'),
  ],
  'a prepared statement closed by the protocol, in one pipeline with its making': [
    [...plain(`prepare p as ${HARMLESS}`), closed('S', 'p'), prepared('p', ASK), ...plain('execute p')],
  ],
  'a prepared statement of a long name': [
    query(`prepare ${LONG} as ${HARMLESS}`),
    [closed('S', `${LONG}z`)],
    [prepared(`${LONG}y`, ASK)],
    query(`execute ${LONG}`),
  ],
  'a long name by the protocol alone': [
    [prepared(LONG, HARMLESS)],
    [closed('S', `${LONG}z`)],
    [prepared(`${LONG}y`, ASK)],
    [bound('', LONG), executed()],
  ],
  'a long name with a character that the server cuts in two': [
    [prepared(SPLIT, HARMLESS)],
    [closed('S', `${SPLIT}z`)],
    [prepared(`${SPLIT.slice(0, -1)}\u00e8y`, ASK)],
    [bound('', SPLIT), executed()],
  ],
  'a portal of a long name': [
    query('begin'),
    [
      prepared('', HARMLESS),
      bound(LONG),
      closed('P', `${LONG}z`),
      prepared('', ASK),
      bound(`${LONG}y`),
      executed(LONG),
    ],
  ],
  'a view of the session dropped by CASCADE': [
    query(`create temp table base as ${HARMLESS}`),
    query('create temp view customers as select * from base'),
    query('drop table base cascade'),
    query(ASK),
  ],
  'a view of the session dropped with a column': [
    query(`create temp table base as ${HARMLESS}, 1 as id`),
    query('create temp view customers as select email from base'),
    query('alter table base drop column email cascade'),
    query(ASK),
  ],
  'a view of the session dropped by CASCADE, in the same text': [
    query(`create temp table base as ${HARMLESS}`),
    query('create temp view customers as select * from base'),
    query(`drop table base cascade; ${ASK}`),
  ],
  'what a role owns': [
    query('set role owner'),
    query(`create temp table customers as ${HARMLESS}`),
    query('reset role'),
    query('drop owned by owner'),
    query(ASK),
  ],
};

describe.skipIf(missingPostgres(15)).each([15, 18] as const)('names of masked sessions, on %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major });
    direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    stand = await openStand({ target: targetOf(server), rules: RULES });
  });
  afterAll(async () => {
    await direct?.end();
    await stand?.stop();
    await server?.stop();
  });

  test.each(Object.entries(WAYS))('%s', async (_, stretches) => {
    const line = await openLine(() => stand.client());
    let frames: Awaited<ReturnType<typeof line.extended>> = [];
    for (const messages of stretches) frames = await line.extended(messages);
    line.close();
    expect(textOf(frames)).not.toContain('secret');
    // It ran, and what it says is the mask, or nothing where nobody knows it.
    const rows = frames.filter(({ tag }) => tag === 'D').map((row) => cellsOf(row)[0]);
    expect(rows.map((cell) => cell && String(cell))).toEqual([expect.toBeOneOf([null, '[masked:EMAIL]'])]);
  });

  test('a view of the session over what others drop', async () => {
    const [line, other] = [await openLine(() => stand.client()), await openLine(() => stand.client())];
    await line.simple('create temp view customers as select 1 as id, null::text as email from scratch');
    expect(textOf(await line.simple(ASK))).toContain('SELECT 0');
    await other.simple('drop table scratch cascade');
    const said = textOf(await line.simple(ASK));
    expect(said).not.toContain('secret');
    expect(said).toContain('reads a view over something that is gone');
    line.close();
    other.close();
  });

  test('what a rule holds is held by whichever of its names', async () => {
    const line = await openLine(() => stand.client());
    await line.extended([prepared(LONG, HARMLESS)]);
    await line.extended([closed('S', `${LONG}z`)]);
    await line.extended([prepared(`${LONG}y`, 'delete from customers')]);
    expect(textOf(await line.extended([bound('', LONG), executed()]))).toContain('42501');
    line.close();
    expect((await direct.query('select from customers')).rowCount).toBe(1);
  });

  test('a session begins with what its role is given now, whatever it was before', async () => {
    const shown = async (): Promise<string[]> => {
      const line = await openLine(() => stand.client());
      const frames = await line.simple(ASK);
      line.close();
      return frames.filter(({ tag }) => tag === 'D').map((row) => String(cellsOf(row)[0]));
    };
    expect(await shown()).toEqual(['[masked:EMAIL]']);
    await direct.query(`alter role ${server.user} set search_path = free, public`);
    expect(await shown()).toEqual(['for everybody']);
    await direct.query(`alter role ${server.user} reset search_path`);
    expect(await shown()).toEqual(['[masked:EMAIL]']);
    // So does a role that every session takes on.
    await direct.query(`alter role ${server.user} set role = keeper`);
    expect(await shown()).toEqual(['for everybody']);
    await direct.query(`alter role ${server.user} reset role`);
    expect(await shown()).toEqual(['[masked:EMAIL]']);
  });

  /** What the target holds is to the table that was meant when it was prepared: it does not notice another one before it. */
  const BEFORE = [query('create temp table other (id int)')];
  const SHADOW = query("create temp table customers as select 'mine'::text as email");
  test.each([
    ['mine', 'a prepared statement', [...BEFORE, [prepared('p', ASK)], SHADOW, [bound('', 'p'), executed()]]],
    [
      'mine',
      'one that has run',
      [...BEFORE, [prepared('p', ASK), bound('', 'p'), executed()], SHADOW, [bound('', 'p'), executed()]],
    ],
    [
      'mine',
      'one of the same pipeline',
      [
        ...BEFORE,
        [
          prepared('p', ASK),
          prepared('q', String(SHADOW[0]?.[1])),
          bound('', 'q'),
          executed(),
          bound('', 'p'),
          executed(),
        ],
      ],
    ],
    ['null', 'PREPARE', [...BEFORE, query(`prepare p as ${ASK}`), SHADOW, query('execute p')]],
    ['null', 'PREPARE, bound', [...BEFORE, query(`prepare p as ${ASK}`), SHADOW, [bound('', 'p'), executed()]]],
    [
      'null',
      'PREPARE, run by another path between',
      [
        ...BEFORE,
        query('set search_path = free'),
        query(`prepare p as ${ASK}`),
        query('set search_path = public'),
        query('execute p'),
        SHADOW,
        query('execute p'),
      ],
    ],
    [
      'null',
      'PREPARE, and a table that is renamed',
      [
        query("create temp table other as select 'mine'::text as email"),
        query(`prepare p as ${ASK}`),
        query('alter table other rename to customers'),
        query('execute p'),
      ],
    ],
    [
      'for everybody',
      'PREPARE, whose names another path finds anew',
      [query(`prepare p as ${ASK}`), query('set search_path = free'), query('execute p')],
    ],
  ] as const)('%s: %s', async (shown, _, stretches) => {
    const line = await openLine(() => stand.client());
    let frames: Awaited<ReturnType<typeof line.extended>> = [];
    for (const messages of stretches) frames = await line.extended(messages);
    line.close();
    expect(textOf(frames)).not.toContain('secret');
    const rows = frames.filter(({ tag }) => tag === 'D').map((row) => String(cellsOf(row)[0]));
    // What the protocol binds by the name of a PREPARE is refused.
    expect(rows.length === 0 && textOf(frames).includes('26000') ? ['null'] : rows).toEqual([shown]);
  });

  test('a statement that could not be prepared again is so the next time', async () => {
    const line = await openLine(() => stand.client());
    await line.extended([prepared('p', 'select 1')]);
    await line.simple('create temp table another (id int)');
    await line.simple('begin; savepoint s');
    await line.simple('select 1 / 0');
    expect(textOf(await line.extended([bound('', 'p'), executed()]))).toContain('25P02');
    await line.simple('rollback');
    for (let n = 0; n < 2; n++) expect(textOf(await line.extended([bound('', 'p'), executed()]))).toContain('SELECT 1');
    line.close();
  });

  test('what is still there is followed as before', async () => {
    const line = await openLine(() => stand.client());
    const values = async (...messages: Message[]): Promise<string[]> =>
      (await line.extended(messages)).filter(({ tag }) => tag === 'D').map((row) => String(cellsOf(row)[0]));
    await line.simple(`prepare p as ${HARMLESS}`);
    await line.simple(`declare c cursor with hold for ${HARMLESS}`);
    // It exists, so that the target refuses both, and neither name means anything else.
    await line.extended([prepared('p', ASK)]);
    await line.extended([prepared('', ASK), bound('c')]);
    expect([await values(...query('execute p')), await values(...query('fetch c'))]).toEqual([['x'], ['x']]);
    await line.simple('create temp table base as select 1 as id');
    await line.simple("create temp view shown as select id, 'y'::text as name from base");
    await line.simple('create temp table gone as select 1 as id');
    await line.simple('drop table gone cascade');
    expect(await values(...query('select name from shown'))).toEqual(['y']);
    line.close();
  });
});
