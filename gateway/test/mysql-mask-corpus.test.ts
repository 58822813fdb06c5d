/** fixtures/guardrails/mysql/masks.yaml through a gateway, at two databases that differ in masked values only, on both servers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MySqlFlavour, type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import type { FieldPacket, QueryError } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { OTHERS, SECRETS, leaksIn, withSecrets } from './mask-corpus/secrets.js';
import { type MySqlStand, openMySqlStand, queryBy } from './mysql-stand.js';

interface Case {
  readonly steps: readonly string[];
  /** Indices of the columns of the last result that are masked; the others are those of a direct connection. */
  readonly masked?: readonly number[];
  /** Run afterwards, directly. */
  readonly undo?: string;
  readonly flavour?: MySqlFlavour;
  /** A step may have several statements. */
  readonly many?: true;
}
interface Group {
  readonly group: string;
  readonly cases: readonly (string | (Partial<Case> & { readonly sql?: string }))[];
}
type Part = 'leaks' | 'benign' | 'mixed';

const FIXTURES = join(import.meta.dirname, '../../fixtures/guardrails/mysql');
const CORPUS = parse(readFileSync(join(FIXTURES, 'masks.yaml'), 'utf8')) as Record<Part, Group[]>;
const SCHEMA = readFileSync(join(FIXTURES, 'masks.sql'), 'utf8')
  .split('\n')
  .filter((line) => !line.startsWith('--'))
  .join('\n')
  .split(/;\n/)
  .filter((text) => text.trim() !== '');
const MASKED_COLUMNS = 'email income born token profile tier scan pin seen work salary'.split(' ');
const RULES = `
    - { rule: secrets, mask: { columns: [${MASKED_COLUMNS.map((one) => `"test.people.${one}"`).join(', ')}, "events.secret"], with: redact } }
    - { rule: handles, mask: { columns: ["test.people.handle"], with: hash } }
    - { rule: no-guessing, when: '"other" in masked.asked', deny: Masked columns are compared with whole values only. }
`;
const FLAVOURS: readonly MySqlFlavour[] = ['mariadb', 'mysql'];

const casesOf = (part: Part): { title: string; one: Case }[] =>
  CORPUS[part].flatMap(({ group, cases }) =>
    cases.map((item) => {
      const { sql = '', ...given } = typeof item === 'string' ? { sql: item } : item;
      const one: Case = { ...given, steps: given.steps ?? [sql] };
      return { title: `${group}: ${one.steps.join(' ; ').slice(0, 160)}`, one };
    }),
  );

/** What one step was answered with. */
type Reply =
  | { readonly error: number | undefined; readonly message: string }
  | { readonly columns: readonly (readonly unknown[])[]; readonly rows: readonly (readonly unknown[])[] };

const isError = (reply: Reply): reply is Extract<Reply, { error: unknown }> => 'message' in reply;

test('the corpus is as large as it says', () => {
  expect(casesOf('leaks').length).toBeGreaterThanOrEqual(400);
  expect(casesOf('benign').length + casesOf('mixed').length).toBeGreaterThanOrEqual(200);
});

describe.each(FLAVOURS)('the mask corpus on %s', (flavour) => {
  const missing = missingMySql(flavour);
  describe.skipIf(missing !== undefined)(missing ?? 'through the gateway', () => {
    const figures = { tried: 0, leaked: 0, benign: 0, stopped: 0, compared: 0, exact: 0 };
    const servers: MySqlServer[] = [];
    const stands: MySqlStand[] = [];
    const admins: Connection[] = [];

    beforeAll(async () => {
      for (const secrets of [SECRETS, OTHERS]) {
        const server = await startMySql({
          flavour,
          settings: [
            'innodb-flush-log-at-trx-commit=0',
            ...(flavour === 'mysql' ? [] : ['log-bin-trust-function-creators=1']),
          ],
        });
        servers.push(server);
        const admin = await openDirect(server);
        for (const text of SCHEMA) await admin.query(withSecrets(text, secrets));
        admins.push(admin);
        stands.push(
          await openMySqlStand({
            server,
            rules: RULES,
            trusted: 'first_email, shout, everybody, give, whisper, tell, twice, made',
          }),
        );
      }
      // The first client is greeted before the gateway knows which server there is.
      for (const stand of stands) (await stand.client()).destroy();
    }, 180_000);
    afterAll(async () => {
      for (const admin of admins) admin.destroy();
      for (const stand of stands) await stand.stop();
      for (const server of servers) await server.stop();
      const part = (some: number, all: number): string => `${some}/${all} (${((100 * some) / all).toFixed(2)} %)`;
      console.info(
        `${flavour}: leaks ${part(figures.leaked, figures.tried)}, false stops ${part(figures.stopped, figures.benign)}, ` +
          `exact ${part(figures.exact, figures.compared)}`,
      );
    });

    const openDirect = ({ host, port, user, password, database }: MySqlServer): Promise<Connection> =>
      createConnection({ host, port, user, password, database, ...READING });
    const through = (which: 0 | 1, many = false): Promise<Connection> =>
      (stands[which] as MySqlStand).client({ ...READING, multipleStatements: many });
    const direct = (many = false): Promise<Connection> => {
      const { host, port, user, password, database } = servers[0] as MySqlServer;
      return createConnection({ host, port, user, password, database, ...READING, multipleStatements: many });
    };

    /** Answers to all steps; the last is run as a prepared statement as well. */
    async function run(open: (many?: boolean) => Promise<Connection>, { steps, many }: Case): Promise<Reply[]> {
      const client = await open(many === true);
      client.on('error', () => undefined);
      try {
        const replies: Reply[] = [];
        for (const step of steps) replies.push(...(await ask(client, step, 'query')));
        if (steps.length === 1 && !many) replies.push(...(await ask(client, steps[0] as string, 'execute')));
        return replies;
      } finally {
        client.destroy();
      }
    }
    async function undo({ undo: text }: Case): Promise<void> {
      if (text !== undefined) for (const admin of admins) await admin.query(text).catch(() => undefined);
      for (const admin of admins) await admin.query('delete from scratch').catch(() => undefined);
    }
    const of = (part: Part): (readonly [string, Case])[] =>
      casesOf(part)
        .filter(({ one }) => one.flavour === undefined || one.flavour === flavour)
        .map(({ title, one }) => [title, one]);

    test('the search finds what is there', async () => {
      for (const text of [
        'select email from people',
        'select hex(email) from people',
        'select pin from people',
        'select scan from people',
      ]) {
        const replies = await run(direct, { steps: [text] });
        expect(leaks(replies, SECRETS, { steps: [text] }), text).not.toEqual([]);
      }
    });

    test.each(of('leaks'))('nothing leaks: %s', async (_, one) => {
      figures.tried++;
      const replies = await run((many) => through(0, many), one);
      const twin = await run((many) => through(1, many), one);
      await undo(one);
      const found = [...leaks(replies, SECRETS, one), ...leaks(twin, OTHERS, one)];
      const differs = differences(replies, twin);
      if (found.length + differs.length > 0) figures.leaked++;
      expect(found, JSON.stringify(replies)).toEqual([]);
      expect(differs.join('\n'), 'the answer depends on masked values').toBe('');
    });

    test.each([...of('benign'), ...of('mixed')])('as without a gateway: %s', async (_, one) => {
      const expected = await run(direct, one);
      await undo(one);
      expect(expected.filter(isError), 'the case itself is wrong').toEqual([]);
      const replies = await run((many) => through(0, many), one);
      await undo(one);
      figures.benign++;
      const refused = replies.filter(isError);
      if (refused.length > 0) figures.stopped++;
      expect(refused, JSON.stringify(refused)).toEqual([]);
      figures.compared++;
      const masked = new Set(one.masked);
      const [mine, theirs] = [replies, expected].map((all) => all.map((reply) => comparable(reply, masked)));
      if (JSON.stringify(mine) === JSON.stringify(theirs)) figures.exact++;
      expect(mine).toEqual(theirs);
      for (const [at, reply] of replies.entries()) {
        const plain = expected[at] as Reply;
        if (isError(reply) || isError(plain) || reply.rows.length === 0 || reply.columns.length <= Math.max(...masked))
          continue;
        for (const column of masked)
          expect(values(reply, column), `column ${column}`).not.toEqual(values(plain, column));
      }
    });

    test('false stops stay below one in a hundred, exactness above 97', () => {
      expect(figures.leaked).toBe(0);
      expect(figures.stopped / figures.benign).toBeLessThan(0.01);
      expect(figures.exact / figures.compared).toBeGreaterThan(0.97);
    });
  });
});

const READING = {
  dateStrings: true,
  jsonStrings: true,
  supportBigNumbers: true,
  bigNumberStrings: true,
} as const;

async function ask(client: Connection, sql: string, how: 'query' | 'execute'): Promise<Reply[]> {
  try {
    const [rows, fields] = await queryBy(client, how, { sql, rowsAsArray: true });
    const isSeveral = Array.isArray(fields) && fields.some((one) => one === undefined || Array.isArray(one));
    if (!isSeveral) return [replyOf(rows, fields)];
    return (rows as unknown[]).map((one, at) => replyOf(one, (fields as unknown[])[at]));
  } catch (error) {
    const { errno, message } = error as QueryError;
    // A command that cannot be prepared is none that leaks.
    return how === 'execute' && errno === 1295 ? [] : [{ error: errno, message }];
  }
}

function replyOf(rows: unknown, fields: unknown): Reply {
  if (!Array.isArray(fields) || !Array.isArray(rows)) {
    const { affectedRows, insertId, info, warningStatus } = (rows ?? {}) as Record<string, unknown>;
    return { columns: [], rows: [[affectedRows, insertId, info, warningStatus]] };
  }
  const columns = (fields as FieldPacket[]).map(({ name, columnType, columnLength }) => [
    name,
    columnType,
    columnLength,
  ]);
  return { columns, rows: (rows as unknown[][]).map((row) => row.map(shown)) };
}

const shown = (value: unknown): unknown =>
  Buffer.isBuffer(value) ? [value.toString('latin1'), value.toString('hex')] : value;

const values = (reply: Reply, column: number): unknown[] =>
  isError(reply) ? [] : reply.rows.map((row) => row[column]);

/** Columns are called by what is written in the text, guesses among it. */
function leaks(replies: readonly Reply[], secrets: typeof SECRETS | typeof OTHERS, { steps }: Case): string[] {
  const given = replies.map((reply) => {
    if (isError(reply)) return reply.message;
    const names = reply.columns
      .map(([name]) => String(name))
      .filter((name) => !steps.some((step) => step.includes(name)));
    return [names, reply.rows];
  });
  return leaksIn([{ tag: 'answers', body: Buffer.from(JSON.stringify(given)) }], secrets);
}

function comparable(reply: Reply, masked: ReadonlySet<number>): unknown {
  if (isError(reply)) return reply;
  return {
    columns: reply.columns,
    rows: reply.rows.map((row) => row.map((value, at) => (masked.has(at) ? 'masked' : value))),
  };
}

/** Where the answers for two sets of secrets are not the same. Which sentence refuses is the same; numbers of sessions are not. */
function differences(replies: readonly Reply[], twin: readonly Reply[]): string[] {
  if (replies.length !== twin.length) return [`${replies.length} answers and ${twin.length}`];
  return replies.flatMap((reply, at) => {
    const [one, other] = [reply, twin[at]].map((each) => JSON.stringify(each).replaceAll(/tok_\w+/g, 'tok'));
    return one === other ? [] : [`${one} and ${other}`];
  });
}
