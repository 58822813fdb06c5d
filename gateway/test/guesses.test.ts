import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CountRecord } from '@sluice/store';
import { Counts, type KeptCounts, guessCounter } from '@sluice/budgets';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const HOUR_MS = 3_600_000;
const TABLES = 12;
const person = (name: string, more: { issuer?: string; subject?: string } = {}) =>
  ({ name, kind: 'person', groups: [], roles: [], ...more }) as const;

/** A store in memory, which can be made to fail. */
class Kept implements KeptCounts {
  readonly rows = new Map<string, CountRecord>();
  broken = false;
  since = (hour: number): Promise<CountRecord[]> =>
    Promise.resolve([...this.rows.values()].filter((row) => row.hour >= hour));
  save = (records: readonly CountRecord[]): Promise<void> => {
    if (this.broken) return Promise.reject(new Error('locked'));
    for (const row of records) this.rows.set(JSON.stringify([row.owner, row.what, row.hour]), row);
    return Promise.resolve();
  };
  purge = (hour: number): Promise<void> => {
    for (const [key, row] of this.rows) if (row.hour < hour) this.rows.delete(key);
    return Promise.resolve();
  };
}

describe('guesses', () => {
  const open = async (kept = new Kept()) => {
    const clock = { now: 1000 * HOUR_MS, ahead: 0 };
    const problems: string[] = [];
    const guesses = await Counts.open(
      kept,
      ({ message }) => problems.push(message),
      () => clock.now + clock.ahead,
      () => clock.now,
    );
    return { guesses, clock, kept, problems };
  };

  test('are summed over a day for each person and column', async () => {
    const { guesses, clock } = await open();
    const ana = guessCounter(guesses, person('ana'), 'db');
    expect(ana.count('t.email', 3)).toBe(3);
    expect(ana.count('t.email', 2)).toBe(5);
    expect(ana.count('t.ssn', 1)).toBe(1);
    expect(guessCounter(guesses, person('ben'), 'db').count('t.email', 1)).toBe(1);
    expect(guessCounter(guesses, person('ana'), 'other').count('t.email', 1)).toBe(1);
    clock.now += 23 * HOUR_MS;
    expect(ana.count('t.email', 1)).toBe(6);
    clock.now += 2 * HOUR_MS;
    expect(ana.known('t.email')).toBe(1);
    await guesses.close();
  });

  test('belong to whom an identity provider knows, whatever they are called', async () => {
    const { guesses } = await open();
    const known = { issuer: 'corp', subject: '17' };
    guessCounter(guesses, person('ana', known), 'db').count('t.email', 4);
    expect(guessCounter(guesses, person('ana.smith', known), 'db').known('t.email')).toBe(4);
    expect(guessCounter(guesses, person('ana', { issuer: 'corp', subject: '18' }), 'db').known('t.email')).toBe(0);
    await guesses.close();
  });

  test('are saved again when the store was locked, and somebody is told once', async () => {
    const { guesses, kept, problems } = await open();
    const ana = guessCounter(guesses, person('ana'), 'db');
    kept.broken = true;
    ana.count('t.email', 4);
    await guesses.save();
    await guesses.save();
    expect(problems).toEqual(['locked']);
    kept.broken = false;
    await guesses.close();
    const again = await open(kept);
    expect(guessCounter(again.guesses, person('ana'), 'db').known('t.email')).toBe(4);
    await again.guesses.close();
  });

  test('of yesterday are forgotten by the store too', async () => {
    const { guesses, clock, kept } = await open();
    const ana = guessCounter(guesses, person('ana'), 'db');
    ana.count('t.email', 4);
    await guesses.save();
    clock.now += 26 * HOUR_MS;
    ana.count('t.ssn', 1);
    await guesses.close();
    expect([...kept.rows.values()].map(({ what }) => what)).toEqual(['db t.ssn']);
  });

  test('are there again when a clock that was set ahead is right again, with what was counted meanwhile', async () => {
    const { guesses, clock, kept } = await open();
    const ana = guessCounter(guesses, person('ana'), 'db');
    ana.count('t.email', 4);
    clock.ahead = 400 * HOUR_MS;
    expect(ana.count('t.email', 2)).toBe(2);
    await guesses.save();
    clock.now += 2 * HOUR_MS;
    clock.ahead = 0;
    expect(ana.known('t.email')).toBe(6);
    await guesses.close();
    const { guesses: restarted, clock: later } = await open(kept);
    later.now += 2 * HOUR_MS;
    const again = guessCounter(restarted, person('ana'), 'db');
    expect(again.known('t.email')).toBe(6);
    later.now += 30 * HOUR_MS;
    expect(again.count('t.ssn', 1)).toBe(1);
    expect(again.known('t.email')).toBe(0);
    await restarted.close();
    expect([...kept.rows.values()].flatMap(({ what, amount }) => (amount > 0 ? [what] : []))).toEqual(['db t.ssn']);
  });

  test('are there again after a restart whose clock was ahead', async () => {
    const { guesses, kept } = await open();
    guessCounter(guesses, person('ana'), 'db').count('t.email', 4);
    await guesses.close();
    const { guesses: restarted, clock } = await open(kept);
    clock.ahead = 400 * HOUR_MS;
    const ana = guessCounter(restarted, person('ana'), 'db');
    expect(ana.count('t.ssn', 1)).toBe(1);
    expect(ana.known('t.email')).toBe(0);
    await restarted.save();
    clock.ahead = 0;
    expect(ana.known('t.email')).toBe(4);
    await restarted.close();
  });

  test('have no more room than is set, and what has none is refused as having guessed too often', async () => {
    const { guesses } = await open();
    const ana = guessCounter(guesses, person('ana'), 'db');
    for (let n = 0; n < 50_000; n++) ana.count(`t.c${n}`, 1);
    expect(ana.count('t.one_more', 1)).toBe(Number.MAX_SAFE_INTEGER);
    expect(ana.count('t.c7', 1)).toBe(2);
    await guesses.close();
  });
});

const RULES = `
    - { rule: pay, mask: { columns: ["staff*.salary", "staff*.email"], with: redact } }
    - { rule: no-guessing, when: '"other" in masked.asked', deny: Masked columns are compared with whole values only. }
    - { rule: held, when: 'command.text.contains("held")', hold: { approvers: ["user:ada"] } }
    - { rule: few-guesses, when: 'masked.guesses > 10', deny: You have compared a masked column with more than 10 values today. }
`;

describe.skipIf(missingPostgres(15))('a budget of guesses', () => {
  let server: PostgresServer;
  let stand: Stand;
  const folder = temporaryFolder('guesses');
  const open = (): Promise<Stand> =>
    openStand({
      target: targetOf(server),
      rules: RULES,
      folder: folder.path,
      principals: '  robin: { kind: agent, groups: [engineers] }',
      access: '["group:engineers", "group:robots"]',
    });
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    for (let n = 1; n <= TABLES; n++) {
      await direct.query(`create table staff${n} (id int primary key, salary int, email text);
        insert into staff${n} values (1, 731731, 'ada@example.com')`);
    }
    await direct.end();
    stand = await open();
  });
  afterAll(async () => {
    await stand.stop();
    await server.stop();
    folder.remove();
  });
  /** A client, and a table that nobody has guessed at yet, which stands for TABLE in what it asks. */
  const fresh = async (): Promise<{ client: pg.Client; ask(text: string, values?: unknown[]): Promise<string> }> => {
    const table = `staff${++tables}`;
    const client = await stand.client();
    return {
      client,
      ask: (text, values) =>
        failure(
          values
            ? client.query({ text: text.replaceAll('TABLE', table), values })
            : client.query(text.replaceAll('TABLE', table)),
        ),
    };
  };
  let tables = 0;
  const one = 'select id from TABLE where salary = $1';

  test.each([
    ['each Bind', [[one, [1]]], 10],
    ['each member of a list', [['select id from TABLE where salary in (1, 2, 3, 4, 5)', []]], 2],
    ['each element of an array', [['select id from TABLE where salary = any ($1)', [[1, 2, 3, 4, 5]]]], 2],
    ['each element of a literal', [["select id from TABLE where salary = any ('{1,2,3,4,5}')", []]], 2],
    [
      'each statement of a text',
      [['select 1 from TABLE where salary = 1; select 1 from TABLE where salary = 2', undefined]],
      5,
    ],
  ] as const)('counts %s', async (_, [[text, values]], times) => {
    const { client, ask } = await fresh();
    for (let n = 0; n < times; n++) expect(await ask(text, values && [...values])).toBe('no error');
    expect(await ask(text, values && [...values])).toBe('42501');
    // Questions that compare nothing go on.
    expect(await ask('select id from TABLE where email is null')).toBe('no error');
    await client.end();
  });

  test('has one for each column, whatever the conditions on others', async () => {
    const { client, ask } = await fresh();
    for (let n = 0; n < 10; n++) expect(await ask(one, [n])).toBe('no error');
    expect(await ask('select id from TABLE where email = $1', ['x'])).toBe('no error');
    expect(await ask('select id from TABLE where email = $1 and salary = 5', ['x'])).toBe('42501');
    await client.end();
  });

  test('of a person with two agents is one, not three', async () => {
    const { client, ask } = await fresh();
    const { identity } = stand.gateway;
    const dev = identity.bearer(stand.token);
    const agents = await Promise.all(
      ['robot', 'robin'].map(async (principal) => {
        const first = await identity.createToken({ principal, name: '', madeWith: dev });
        // What an agent makes for itself changes nothing.
        const { token } = await identity.createToken({ principal, name: '', madeWith: identity.bearer(first.token) });
        return stand.client({ user: principal, password: token });
      }),
    );
    const text = one.replace('TABLE', `staff${tables}`);
    for (const agent of agents)
      for (let n = 0; n < 4; n++) expect(await failure(agent.query({ text, values: [n] }))).toBe('no error');
    for (let n = 0; n < 2; n++) expect(await ask(one, [n])).toBe('no error');
    for (const agent of agents) expect(await failure(agent.query({ text, values: [1] }))).toBe('42501');
    expect(await ask(one, [1])).toBe('42501');
    // One that the operator set up has its own.
    const { token } = await identity.createToken({ principal: 'robot', name: '' });
    const own = await stand.client({ user: 'robot', password: token });
    expect(await failure(own.query({ text, values: [1] }))).toBe('no error');
    await Promise.all([...agents, own, client].map((each) => each.end()));
  });

  test('two sessions of one person cannot spend it twice', async () => {
    const { client, ask } = await fresh();
    const table = `staff${tables}`;
    const second = await stand.client();
    const all = Array.from({ length: 20 }, (_, n) =>
      n % 2 ? ask(one, [n]) : failure(second.query({ text: one.replace('TABLE', table), values: [n] })),
    );
    const answers = await Promise.all(all);
    expect(answers.filter((answer) => answer === 'no error')).toHaveLength(10);
    await client.end();
    await second.end();
  });

  test('counts a statement once that is held and released', async () => {
    const { client, ask } = await fresh();
    for (let n = 0; n < 5; n++) {
      const held = ask(`${one} -- held`, [n]);
      const number = await vi.waitFor(async () => {
        const [found] = await stand.gateway.approvals.recent(1);
        if (found?.state !== 'pending') throw new Error('nobody was asked');
        return found.number;
      });
      const ada = { name: 'ada', kind: 'person', groups: [], roles: ['approver'] } as const;
      await stand.gateway.approvals.decide(number, ada, 'approve', '');
      expect(await held).toBe('no error');
    }
    for (let n = 0; n < 5; n++) expect(await ask(one, [n])).toBe('no error');
    expect(await ask(one, [1])).toBe('42501');
    await client.end();
  });

  test('is not given back by a restart', async () => {
    const { client, ask } = await fresh();
    for (let n = 0; n < 10; n++) expect(await ask(one, [n])).toBe('no error');
    await client.end();
    await stand.stop();
    stand = await open();
    const again = await stand.client();
    const text = one.replace('TABLE', `staff${tables}`);
    expect(await failure(again.query({ text, values: [1] }))).toBe('42501');
    await again.end();
  });
});
