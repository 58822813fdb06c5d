/** What the pages of the console ask for, asked by a program: rules and how often they matched, people, the last day, commands on record. */
import type { ApprovalRow, Day, FoundCommand, PersonRow, Rules, SessionRow, TimelineEntry } from '@sluice/api';
import { readJournal } from '@sluice/recording';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Caller, caller } from './control.js';
import { type Stand, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: no-drops, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped here. }
    - { rule: looked-at, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: reads-are-seen, when: 'action.verb == "select"', allow: true, mode: observe }
    - { rule: mails, mask: { columns: ["people.email"], with: redact } }
`;

/** All pages of a list, by the links that lead from one to the next, and how many there were. */
async function pagesOf(stand: Stand, token: string, path: string): Promise<{ rows: unknown[]; pages: number }> {
  const rows: unknown[] = [];
  let pages = 0;
  for (let next: string | undefined = path; next !== undefined; pages++) {
    const answer: Response = await fetch(new URL(next, stand.gateway.url), {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    rows.push(...((await answer.json()) as unknown[]));
    next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
  }
  return { rows, pages };
}

describe.skipIf(missingPostgres(18))('an overview of the gateway', () => {
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let auditor: Caller;
  let user: Caller;
  let tokens: Readonly<Record<'auditor' | 'robot', string>>;

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      principals: '  olga: { groups: [platform], roles: [auditor, admin] }',
      access: '["group:engineers", "group:robots"]',
    });
    const make = async (principal: string): Promise<string> =>
      (await stand.gateway.identity.createToken({ principal, name: 'overview' })).token;
    tokens = { auditor: await make('olga'), robot: await make('robot') };
    auditor = caller(stand, tokens.auditor);
    user = caller(stand, stand.token);
    client = await stand.client();
    await client.query('create table people (id int, email text)');
    await client.query("insert into people values (300, 'a@example.com')");
    await client.query('select email from people');
    await client.query('drop table people').catch(() => undefined);
    // Prepared, and run twice.
    for (const id of [1, 2]) await client.query({ name: 'one', text: 'select $1::int as one', values: [id] });
  });
  afterAll(async () => {
    await client.end();
    await stand.stop();
    await server.stop();
  });

  test('rules in force, in their order, with how often each matched and when last', async () => {
    const { since, rules } = await auditor.get<Rules>('/v1/policy/rules');
    expect(rules.map(({ rule, effect, mode, matched }) => [rule, effect, mode, matched])).toEqual([
      ['no-drops', 'deny', 'enforce', 1],
      ['looked-at', 'hold', 'enforce', 0],
      // What is only prepared counts when it runs.
      ['reads-are-seen', 'allow', 'observe', 3],
      ['mails', 'mask', 'enforce', expect.any(Number)],
    ]);
    const [drops, held, reads, mask] = rules;
    expect(drops).toMatchObject({
      connection: 'db',
      does: 'Nothing is dropped here.',
      place: 'policies.production[0]',
    });
    expect(drops?.when).toContain('destroy');
    expect(held).not.toHaveProperty('last');
    expect(held?.does).toBe('It is released by one of group:engineers; after 600 s it is refused');
    expect(Date.parse(reads?.last ?? '')).toBeGreaterThanOrEqual(Date.parse(since));
    expect(mask).toMatchObject({ does: 'people.email: redact' });
    expect(mask).not.toHaveProperty('when');
    expect((await auditor.get<Rules>('/v1/policy/rules?connection=db')).rules).toHaveLength(4);
    expect(await auditor.status('GET', '/v1/policy/rules?connection=other')).toBe(404);
    expect(await user.status('GET', '/v1/policy/rules')).toBe(403);
  });

  test('entries of a session say which rules matched', async () => {
    const [session] = await user.get<SessionRow[]>('/v1/sessions');
    const entries = await user.get<TimelineEntry[]>(`/v1/sessions/${session?.id}/timeline`);
    const read = entries.find(({ text }) => text === 'select email from people');
    expect(read?.matched).toEqual([
      { rule: 'reads-are-seen', effect: 'allow', observed: true },
      { rule: 'mails', effect: 'mask', observed: false },
    ]);
  });

  test('people and agents as the gateway last saw them', async () => {
    const people = await auditor.get<PersonRow[]>('/v1/people');
    expect(people.map(({ name }) => name)).toEqual(['ada', 'dev', 'olga', 'robot']);
    const [ada, dev, , robot] = people;
    expect(ada).toEqual({
      name: 'ada',
      kind: 'person',
      groups: ['engineers'],
      roles: ['approver'],
      sessions: 0,
      tokens: 0,
    });
    expect(dev).toMatchObject({ roles: ['user'], sessions: 1, tokens: 1, seen: expect.any(String) });
    expect(robot).toMatchObject({ kind: 'agent', tokens: 1 });
    expect(robot).not.toHaveProperty('seen');
    expect(await user.status('GET', '/v1/people')).toBe(403);
  });

  test('the last day, a value a minute, of what was counted within it', async () => {
    const { day } = stand.gateway;
    await vi.waitFor(() => expect(day.curves().curves[0]?.values.length).toBeGreaterThan(0));
    await client.query('select 1');
    const before = day.curves().curves[0]?.values.length ?? 0;
    const [now, minute] = [Date.now(), 60_000];
    // A minute is not waited for.
    day.look(now + minute);
    day.look(now + minute + 1);
    const { every, curves } = await auditor.get<Day>('/v1/status/day');
    expect(every).toBe(60);
    const values = new Map(curves.map(({ name, values: own }) => [name, own]));
    for (const own of values.values()) expect(own).toHaveLength(before + 1);
    expect(values.get('sessions')?.at(-1)).toBe(stand.gateway.sessions.size);
    expect(values.get('passed')?.at(-1)).toBeGreaterThan(0);
    expect(values.get('added_most')?.at(-1)).toBeGreaterThan(0);
    expect(values.get('memory')?.at(-1)).toBeGreaterThan(10_000_000);
    // Two days have no more room than one.
    for (let at = 2; at < 2_900; at++) day.look(now + at * minute);
    const last = await auditor.get<Day>('/v1/status/day');
    expect(new Set(last.curves.map(({ values: own }) => own.length))).toEqual(new Set([1_440]));
    expect(last.curves.find(({ name }) => name === 'passed')?.values.at(-1)).toBe(0);
    expect(last.curves.find(({ name }) => name === 'added_most')?.values.at(-1)).toBeNull();
    expect(await user.status('GET', '/v1/status/day')).toBe(403);
  });

  test('who did it: commands on record, over all sessions', async () => {
    const robot = await stand.client({ user: 'robot', password: tokens.robot });
    await robot.query('select \'find ME\' as x -- "quoted"');
    await robot.query("select 'find me' as x");
    await robot.end();
    await client.query("select 'find me' as x");
    const find = (query: string, who = auditor): Promise<FoundCommand[]> => who.get(`/v1/commands?${query}`);
    const found = await find('text=FIND%20me');
    expect(found.map(({ principal, text }) => [principal, text])).toEqual([
      ['dev', "select 'find me' as x"],
      ['robot', "select 'find me' as x"],
      ['robot', 'select \'find ME\' as x -- "quoted"'],
    ]);
    expect(found[0]).toMatchObject({
      connection: 'db',
      protocol: 'postgres',
      decision: 'allow',
      command: expect.any(Number),
    });
    expect(await find('text=%22QUOTED%22')).toHaveLength(1);
    expect((await find('text=people&decision=deny')).map(({ rule }) => rule)).toEqual(['no-drops']);
    expect(await find('text=find%20me&principal=robot')).toHaveLength(2);
    expect(await find('text=find%20me&connection=other')).toEqual([]);
    const [{ at = '' } = {}] = found;
    expect(
      await find(`text=find%20me&until=${encodeURIComponent(new Date(Date.parse(at) - 86_400_000).toISOString())}`),
    ).toEqual([]);
    expect(await find(`text=find%20me&since=${encodeURIComponent(at)}`)).toEqual(found.filter((one) => one.at >= at));
    // Others find their own; what is looked for is no pattern.
    expect((await find('text=find%20me', user)).map(({ principal }) => principal)).toEqual(['dev']);
    expect(await find('text=find.me')).toEqual([]);
    const paged = await pagesOf(stand, tokens.auditor, '/v1/commands?text=find%20me&limit=1');
    expect(paged.rows).toEqual(found);
    // Somebody who read what others did is on record.
    const [session] = found.filter(({ principal }) => principal === 'robot');
    const readers = [...readJournal(stand.gateway.journal.folder)].flatMap(({ header }) =>
      header.k === 'read' && header.of === session?.session ? [header.actor] : [],
    );
    expect(new Set(readers)).toEqual(new Set(['olga']));
    expect(await find('since=2099-01-01T00:00:00Z')).toEqual([]);
    expect(await user.status('GET', '/v1/commands?before=x')).toBe(400);
    expect(await user.status('GET', '/v1/commands?before=99999999.999999999999')).toBe(200);
  });

  test('a long session is paged, begun anywhere, and looked through', async () => {
    const own = await stand.client();
    for (let at = 0; at < 40; at++) await own.query(`select ${at} as wanted_${at % 4}`);
    await own.query('drop table nothing').catch(() => undefined);
    const [{ id = '' } = {}] = await user.get<SessionRow[]>('/v1/sessions?state=open');
    await own.end();
    const path = `/v1/sessions/${id}/timeline`;
    const all = await pagesOf(stand, stand.token, `${path}?limit=7`);
    const whole = await user.get<TimelineEntry[]>(path);
    expect(all.rows).toEqual(whole);
    expect(all.pages).toBeGreaterThan(10);
    const commands = whole.filter(({ type }) => type === 'command');
    const number = commands[20]?.command ?? 0;
    const from = await pagesOf(stand, stand.token, `${path}?limit=7&from=${number}`);
    expect(from.rows).toEqual(whole.slice(whole.indexOf(commands[20] as TimelineEntry)));
    const found = await pagesOf(stand, stand.token, `${path}?limit=3&text=WANTED_1`);
    expect(found.rows).toEqual(commands.filter(({ text }) => text?.includes('wanted_1')));
    expect(found.rows).toHaveLength(10);
    expect(await user.get(`${path}?decision=deny`)).toEqual(commands.filter(({ decision }) => decision === 'deny'));
  });

  test('the list of open sessions has further pages', async () => {
    const clients: pg.Client[] = [];
    for (let at = 0; at < 5; at++) clients.push(await stand.client());
    const list = (query: string): Promise<SessionRow[]> => user.get(`/v1/sessions?state=open&limit=2${query}`);
    const seen: string[] = [];
    for (let page = await list(''); page.length > 0; page = await list(`&before=${page.at(-1)?.id}`))
      seen.push(...page.map(({ id }) => id));
    const open = [...stand.gateway.sessions.values()].filter(({ principal }) => principal?.name === 'dev');
    expect(seen).toEqual(open.map(({ id }) => id).toReversed());
    expect(seen.length).toBeGreaterThanOrEqual(6);
    for (const one of clients) await one.end();
  });

  test('nobody fills the list of requests alone', async () => {
    const { approvals } = stand.gateway;
    const ask = (principal: string, at: number) =>
      approvals.ask({
        principal,
        connection: 'db',
        session: 'none',
        command: at,
        text: 'delete',
        parameters: [],
        requirements: [{ rule: 'looked-at', approvers: ['group:engineers'], count: 1 }],
        digest: `${principal} ${at}`,
        onTimeout: 'deny',
        timeoutMs: 600_000,
        waits: true,
        transaction: false,
      });
    const first = await ask('quiet', 0);
    for (let at = 0; at < 30; at++) await ask('loud', at);
    const list = (query: string): Promise<ApprovalRow[]> => auditor.get(`/v1/approvals?state=pending${query}`);
    expect((await list('&limit=25')).map(({ principal }) => principal)).not.toContain('quiet');
    const few = await list('&limit=25&each=5');
    expect(few.map(({ principal }) => principal)).toEqual([...Array(5).fill('loud'), 'quiet']);
    expect(few.at(-1)?.number).toBe(first.number);
    expect(await list('&principal=loud&limit=200')).toHaveLength(30);
    for (const { number } of approvals.waiting()) approvals.withdraw(number, 'the test is over');
  });
});
