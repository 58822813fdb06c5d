/**
 * Passing one's own request at once (`break_glass`), and the review of that. Lives here: that it passes what it may, that everybody is
 * told, and what somebody would try with it. Does not: pages (console-break-glass.test.ts), security keys (console-logins.test.ts).
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ApprovalRow, Status, TokenRow } from '@sluice/api';
import { readJournal } from '@sluice/recording';
import { type PostgresServer, findTool, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { MAIN } from './agents.js';
import { type Caller, caller } from './control.js';
import { run } from './ssh-stand.js';
import { type Stand, failure, logLines, openStand, targetOf } from './stand.js';

type Made = TokenRow & { token: string };

const WAIT = { timeout: 20_000 };
const byNumber = (one: number, other: number): number => one - other;
const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;
const GLASS = 'break_glass: ["group:oncall"]';
const RULES = `
    - { rule: vaults-stay, when: 'action.tables.exists(t, t.endsWith("vault"))', deny: The vault stays shut. }
    - { rule: mails, mask: { columns: ["people.mail"], with: redact } }
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 10m, ${GLASS} } }
    - { rule: money, when: 'action.tables.exists(t, t.endsWith("payments"))', hold: { approvers: ["group:dba"], timeout: 10m } }
    - { rule: later, when: 'action.verb == "update"', hold: { approvers: ["group:dba"], timeout: 10m, fail: true, ${GLASS} } }
    - { rule: brief, when: 'action.verb == "insert"', hold: { approvers: ["group:dba"], timeout: 1s, fail: true, ${GLASS} } }
`;
const PRINCIPALS = `  olive: { groups: [engineers, oncall] }
  oscar: { groups: [engineers, oncall] }
  dora: { groups: [dba, oncall, engineers], roles: [user, approver] }
  bea: { groups: [dba], roles: [user, approver] }
  mole: { groups: [], roles: [user, approver] }
  adam: { groups: [], roles: [user, admin] }
  audrey: { groups: [], roles: [user, auditor] }
  helper: { kind: agent, groups: [engineers, oncall], roles: [user, approver, admin] }`;

describe.skipIf(missingPostgres(18))('break-glass', () => {
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let notices: string[];
  let told: { readonly type: string; readonly data: Record<string, unknown> }[];
  let hook: ReturnType<typeof createServer>;
  let log: ReturnType<typeof logLines>;
  let place: ReturnType<typeof temporaryFolder>;

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    await directly(
      ...['people', 'vault', 'payments'].map((table) => `create table ${table} (id int, mail text)`),
      "insert into people values (7, 'seven@example.org')",
    );
    hook = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        told.push(JSON.parse(body) as (typeof told)[number]);
        response.end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    hook?.close();
    await server?.stop();
  });

  /** At the server itself. */
  const directly = async (...texts: string[]): Promise<void> => {
    const { host, port, user, password } = server;
    const direct = new pg.Client({ host, port, user, password, database: 'postgres' });
    await direct.connect();
    for (const text of texts) await direct.query(text);
    await direct.end();
  };
  const open = async (connection?: string): Promise<void> => {
    log = logLines();
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      principals: PRINCIPALS,
      folder: place.path,
      log: log.log,
      sections: `webhooks: [{ url: "http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook", secret: "${SECRET}" }]`,
      ...(connection !== undefined && { connection }),
    });
  };
  beforeEach(async () => {
    [told, notices] = [[], []];
    place = temporaryFolder('break-glass');
    await open();
    client = await of('olive');
    client.on('notice', ({ message, hint }) => notices.push(`${message} ${(hint as string | undefined) ?? ''}`));
  });
  afterEach(async () => {
    await client?.end().catch(() => undefined);
    await stand?.stop();
    place?.remove();
  });

  const operatorMade = async (principal: string): Promise<Made> => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'operator', name: 'the file' });
    return caller(stand, token).post<Made>('/v1/tokens', { principal });
  };
  const by = async (principal: string): Promise<Caller> => caller(stand, (await operatorMade(principal)).token);
  const of = async (principal: string): Promise<pg.Client> =>
    stand.client({ user: principal, password: (await operatorMade(principal)).token });
  /** Sends it, and waits until it is held. */
  const held = async (sql: string, from = client): Promise<{ number: number; done: Promise<string> }> => {
    const [before] = await stand.gateway.approvals.recent(1);
    const done = failure(from.query(sql));
    const number = await vi.waitFor(async () => {
      const [one] = await stand.gateway.approvals.recent(1);
      if (!one || one.number === before?.number) throw new Error('nothing waits');
      return one.number;
    }, WAIT);
    return { number, done };
  };
  const pass = (who: Caller, number: number, reason: unknown = 'orders are on fire'): Promise<number> =>
    who.status('POST', `/v1/approvals/${number}/break-glass`, { reason } as object);
  const row = async (number: number): Promise<ApprovalRow> =>
    (await by('adam')).get<ApprovalRow>(`/v1/approvals/${number}`);
  const reload = async (edit: (text: string) => string): Promise<void> => {
    const file = join(stand.folder, 'sluice.yaml');
    writeFileSync(file, edit(readFileSync(file, 'utf8')));
    await stand.gateway.reload(readConfiguration(file).config, 'test');
  };

  test('whoever asked passes it at once with a reason; everybody is told, and a review is open until somebody else closes it', async () => {
    const { number, done } = await held('delete from people where id = 1');
    const answer = await (await by('olive')).post<ApprovalRow>(`/v1/approvals/${number}/break-glass`, {
      reason: ' orders are on fire ',
    });
    expect(answer).toMatchObject({
      state: 'passed',
      review: { state: 'open' },
      words: [{ by: 'olive', decision: 'break-glass', reason: 'orders are on fire' }],
    });
    expect(await done).toBe('no error');
    expect(notices.at(-1)).toBe(
      `You passed request ${number} by break-glass. Everybody who looks after it was told. Its review is open until somebody else closes it: sluice approvals show ${number}`,
    );
    // Webhooks, the log of the operator, metrics, status and the inbox of approvers.
    await vi.waitFor(
      () =>
        expect(told.map(({ type }) => type)).toEqual(['approval.requested', 'approval.break-glass', 'approval.passed']),
      WAIT,
    );
    expect(told[1]?.data).toMatchObject({ number, actor: 'olive', reason: 'orders are on fire' });
    expect(log.lines.join('')).toContain('"by":"olive","msg":"somebody passed what they asked themselves');
    const metrics = await (await fetch(`${stand.gateway.url}/metrics`)).text();
    expect(metrics).toContain('sluice_break_glass_total 1');
    expect(metrics).toContain('sluice_reviews_open 1');
    expect((await (await by('adam')).get<Status>('/v1/status')).reviews).toEqual([number]);
    const [bea, olive] = [await by('bea'), await by('olive')];
    const open = async (who: Caller): Promise<number[]> =>
      (await who.get<ApprovalRow[]>('/v1/approvals?review=open')).map((one) => one.number);
    expect([await open(bea), await open(olive), await open(await by('oscar'))]).toEqual([[number], [number], []]);

    const close = (who: Caller, reason = 'seen, it was right'): Promise<number> =>
      who.status('POST', `/v1/approvals/${number}/review`, { reason });
    for (const name of ['olive', 'oscar', 'mole', 'helper'])
      expect([name, await close(await by(name))]).toEqual([name, 403]);
    for (const reason of ['', '  ', '...', '\u200b']) expect([reason, await close(bea, reason)]).toEqual([reason, 400]);
    expect(await open(bea)).toEqual([number]);
    expect(await Promise.all([close(bea), close(bea)]).then((all) => all.toSorted(byNumber))).toEqual([200, 409]);
    expect(await open(bea)).toEqual([]);
    expect(await row(number)).toMatchObject({
      state: 'passed',
      review: { state: 'closed', by: 'bea', reason: 'seen, it was right' },
    });
    expect(await close(await by('audrey'))).toBe(409);
    await vi.waitFor(
      () => expect(told.at(-1)).toMatchObject({ type: 'approval.reviewed', data: { actor: 'bea' } }),
      WAIT,
    );
    // The record has each of these, in its order.
    await stand.gateway.stop();
    const events: [string, string | undefined, string | undefined][] = [];
    for (const { header } of readJournal(join(stand.gateway.config.data, 'journal')))
      if (header.k === 'approval') events.push([header.event, header.actor, header.reason]);
    expect(events).toEqual([
      ['requested', undefined, undefined],
      ['break-glass', 'olive', 'orders are on fire'],
      ['passed', undefined, undefined],
      ['used', undefined, undefined],
      ['reviewed', 'bea', 'seen, it was right'],
    ]);
  });

  test('nobody passes what somebody else asked, nor without being named, nor without a reason', async () => {
    const { number, done } = await held('delete from people where id = 2');
    for (const name of ['oscar', 'dora', 'bea', 'adam', 'helper'])
      expect([name, [403, 404].includes(await pass(await by(name), number))]).toEqual([name, true]);
    const olive = await by('olive');
    for (const reason of ['', '   ', '!?', '\u200b\u00ad', 7, null, 'x'.repeat(1_001)])
      expect([reason, await pass(olive, number, reason)]).toEqual([reason, 400]);
    // Nobody learns whether there is a request of others.
    const oscar = await by('oscar');
    const asks = async (path: string, at: number): Promise<string> =>
      oscar.post(`/v1/approvals/${at}/${path}`, { reason: 'now' }).then(
        () => 'passed',
        (error: Error) => error.message,
      );
    for (const path of ['break-glass', 'revoke'])
      expect((await asks(path, number)).replaceAll(String(number), 'N')).toBe(
        (await asks(path, 999)).replaceAll('999', 'N'),
      );
    // Not by a token that somebody else made for her, nor by one that is revoked.
    const made = await (await by('adam')).post<Made>('/v1/tokens', { principal: 'olive' });
    expect(await pass(caller(stand, made.token), number)).toBe(403);
    const own = await operatorMade('olive');
    await (await by('adam')).delete(`/v1/tokens/${own.id}`);
    expect(await pass(caller(stand, own.token), number)).toBe(401);
    expect((await row(number)).state).toBe('pending');
    expect(await pass(olive, number)).toBe(200);
    expect(await done).toBe('no error');
    // Of somebody who is in the group no longer, or never was.
    const dev = await stand.client();
    const other = await held('delete from people where id = 3', dev);
    expect(await pass(await by('dev'), other.number)).toBe(403);
    expect(stand.gateway.approvals.pending).toBe(1);
    await dev.end();
    await other.done;
  });

  test('an agent passes nothing, and nobody for it: not its owner either', async () => {
    const agent = await of('helper');
    const { number, done } = await held('delete from people where id = 4', agent);
    for (const name of ['helper', 'olive', 'dora'])
      expect([name, [403, 404].includes(await pass(await by(name), number))]).toEqual([name, true]);
    expect((await row(number)).state).toBe('pending');
    await agent.end();
    expect(await done).not.toBe('no error');
  });

  test('it passes once: not twice, not by two at once, and not once it is over', async () => {
    const olive = await by('olive');
    const first = await held('delete from people where id = 5');
    expect((await Promise.all([pass(olive, first.number), pass(olive, first.number)])).toSorted(byNumber)).toEqual([
      200, 409,
    ]);
    expect(await first.done).toBe('no error');
    expect(await pass(olive, first.number)).toBe(409);
    expect((await stand.gateway.approvals.find(first.number))?.words).toHaveLength(1);
    const denied = await held('delete from people where id = 6');
    await (await by('bea')).post(`/v1/approvals/${denied.number}/deny`, { reason: 'no' });
    expect(await pass(olive, denied.number)).toBe(409);
    expect(await denied.done).toBe('42501');
    const late = await held('insert into people values (1)');
    await vi.waitFor(async () => expect((await row(late.number)).state).toBe('expired'), WAIT);
    expect(await pass(olive, late.number)).toBe(409);
    expect(await pass(olive, 999)).toBe(404);
  });

  test('never a refusal, never around a mask, and never past a rule that does not name them', async () => {
    const [before] = await stand.gateway.approvals.recent(1);
    expect(await failure(client.query('delete from vault'))).toBe('42501');
    expect((await stand.gateway.approvals.recent(1))[0]?.number).toBe(before?.number);

    const olive = await by('olive');
    const money = await held('delete from payments where id = 1');
    await expect(olive.post(`/v1/approvals/${money.number}/break-glass`, { reason: 'now' })).rejects.toThrow(
      'Rule \\"money\\" lets \\"olive\\" not pass',
    );
    // What others have released of it is theirs: the rest is hers.
    await (await by('bea')).post(`/v1/approvals/${money.number}/approve`, {});
    expect(await money.done).toBe('no error');

    const answer = client.query("delete from people where id = 7 returning mail, 'x' as plain");
    const { number } = await vi.waitFor(async () => {
      const [one] = stand.gateway.approvals.waiting();
      if (!one) throw new Error('nothing waits');
      return one;
    }, WAIT);
    expect(await pass(olive, number)).toBe(200);
    const { rows } = await answer;
    expect(rows).toEqual([{ mail: expect.not.stringContaining('seven'), plain: 'x' }]);
  });

  test('what does not wait is refused with its number, and passes once by break-glass, unless that was taken away by then', async () => {
    const sql = "update people set mail = 'x' where id = 1";
    const olive = await by('olive');
    const { number, done } = await held(sql);
    expect(await done).toBe('42501');
    expect(await pass(olive, number)).toBe(200);
    expect((await row(number)).used).toBeUndefined();
    expect(await failure(client.query(sql))).toBe('no error');
    expect((await row(number)).used).toBeDefined();
    const second = await held(sql);
    expect(await second.done).toBe('42501');
    // The token that it was said with is revoked before it is used.
    const own = await operatorMade('olive');
    expect(await pass(caller(stand, own.token), second.number)).toBe(200);
    await (await by('adam')).delete(`/v1/tokens/${own.id}`);
    expect((await row(second.number)).state).toBe('withdrawn');
    expect(await failure(client.query(sql))).toBe('42501');
    const [third] = stand.gateway.approvals.waiting();
    expect(await pass(olive, third?.number ?? 0)).toBe(200);
    // She is in the group no longer.
    await reload((text) => text.replace('olive: { groups: [engineers, oncall] }', 'olive: { groups: [engineers] }'));
    expect(await failure(client.query(sql))).toBe('42501');
    // What was tried is to be looked at all the same.
    expect(stand.gateway.approvals.reviews().map((one) => one.number)).toEqual([number, second.number, third?.number]);
  });

  test('under other rules it was passed for nothing', async () => {
    const sql = "update people set mail = 'y' where id = 1";
    const { number, done } = await held(sql);
    expect(await done).toBe('42501');
    expect(await pass(await by('olive'), number)).toBe(200);
    await reload((text) => text.replace(`timeout: 10m, fail: true, ${GLASS}`, 'timeout: 10m, fail: true'));
    expect(await failure(client.query(sql))).toBe('42501');
    expect((await row(number)).used).toBeUndefined();
  });

  test('a session that waits for people begins, its window counts, and its review is open over restarts', async () => {
    await client.end();
    await stand.gateway.stop();
    await open('approval: { approvers: ["group:dba"], timeout: 10m, window: 1h, break_glass: ["group:oncall"] }');
    const login = of('olive');
    const waiting = (): number => stand.gateway.approvals.waiting()[0]?.number ?? 0;
    await vi.waitFor(() => expect(waiting()).toBeGreaterThan(0), WAIT);
    const number = waiting();
    // To whoever has not asked, and decides nothing here, it is not there.
    expect(await pass(await by('oscar'), number)).toBe(404);
    expect(await pass(await by('olive'), number)).toBe(200);
    client = await login;
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await stand.gateway.stop();
    await open('approval: { approvers: ["group:dba"], timeout: 10m, window: 1h, break_glass: ["group:oncall"] }');
    // The window counts still, and nobody has looked at it.
    client = await of('olive');
    const reviews = (): number[] => stand.gateway.approvals.reviews().map((one) => one.number);
    expect(reviews()).toEqual([number]);
    // An administrator takes it back: the window is over, the review is not.
    expect(await (await by('adam')).status('POST', `/v1/approvals/${number}/revoke`, { reason: 'too long' })).toBe(200);
    expect(reviews()).toEqual([number]);
    const again = of('olive').catch((error: Error) => error.message);
    await vi.waitFor(() => expect(waiting()).toBeGreaterThan(number), WAIT);
    await (await by('bea')).post(`/v1/approvals/${waiting()}/deny`, { reason: 'enough' });
    expect(await again).toContain('denied by bea');
    expect(await (await by('bea')).status('POST', `/v1/approvals/${number}/review`, { reason: 'seen' })).toBe(200);
    await client.end();
    await stand.gateway.stop();
    await open();
    expect(reviews()).toEqual([]);
    expect((await row(number)).review).toMatchObject({ state: 'closed', by: 'bea' });
  });

  test('nothing passes while the record cannot be written', async () => {
    const { number, done } = await held('delete from people where id = 8');
    const olive = await by('olive');
    const { journal } = stand.gateway;
    Object.defineProperty(journal, 'failed', { configurable: true, get: () => new Error('no space left on device') });
    expect(await pass(olive, number)).toBe(503);
    expect(stand.gateway.approvals.reviews()).toEqual([]);
    delete (journal as { failed?: unknown }).failed;
    expect(await pass(olive, number)).toBe(200);
    expect(await done).toBe('no error');
  });

  test('whoever always passes by break-glass comes to an end, and others do not', async () => {
    const { approvals, identity } = stand.gateway;
    const ask = async (principal: string, digest: string): Promise<number> =>
      (
        await approvals.ask({
          session: 's',
          command: 1,
          principal,
          connection: 'db',
          text: 'x',
          parameters: [],
          digest,
          requirements: [{ rule: 'r', approvers: ['group:dba'], count: 1, breakGlass: ['group:oncall'] }],
          timeoutMs: 60_000,
          onTimeout: 'deny',
          waits: true,
          transaction: false,
        })
      ).number;
    const [olive, oscar] = ['olive', 'oscar'].map((name) => identity.principal(name));
    if (!olive || !oscar) throw new Error('they are in the file');
    for (let n = 0; n < 100; n++) await approvals.breakGlass(await ask('olive', `o${n}`), olive, 'again');
    await expect(approvals.breakGlass(await ask('olive', 'last'), olive, 'again')).rejects.toThrow('100 reviews');
    await approvals.breakGlass(await ask('oscar', 'other'), oscar, 'first');
  });

  test('with stock tools: psql waits, the command line passes and reviews, and doctor says what is open', {
    timeout: 240_000,
  }, async ({ skip }) => {
    const psql = findTool('psql');
    if (psql === undefined) skip('there is no psql here');
    const olive = await operatorMade('olive');
    const child = spawn(
      psql ?? '',
      [`host=127.0.0.1 port=${stand.port} user=olive dbname=db`, '-c', 'delete from people'],
      {
        env: { ...process.env, PGPASSWORD: olive.token },
      },
    );
    let shown = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await vi.waitFor(() => expect(shown).toMatch(/request \d+/), WAIT);
    const number = /request (\d+)/.exec(shown)?.[1] ?? '';
    const sluice = async (token: string, ...words: string[]): Promise<string> => {
      const { stdout, stderr } = await run(
        process.execPath,
        [MAIN, '--data', join(stand.folder, 'data'), '--url', stand.gateway.url, ...words],
        { cwd: stand.folder, env: { NO_COLOR: '1', SLUICE_TOKEN: token } },
      );
      return stdout + stderr;
    };
    expect(await sluice(olive.token, 'approvals', 'show', number)).toContain(
      'group:oncall may pass what they asked themselves (break-glass)',
    );
    expect(await sluice(olive.token, 'approvals', 'break-glass', number, '--reason', '')).toContain('reason in words');
    const passed = await sluice(olive.token, 'approvals', 'break-glass', number, '--reason', 'orders are on fire');
    expect(passed).toContain('olive: break-glass, orders are on fire');
    expect(passed).toContain('Its review is open until somebody else closes it.');
    await ended;
    expect(shown).toContain(`NOTICE:  You passed request ${number} by break-glass.`);
    expect(shown).toContain('DELETE');
    const [adam, bea] = [await operatorMade('adam'), await operatorMade('bea')];
    expect(await sluice(bea.token, 'approvals', 'ls', '--reviews')).toMatch(new RegExp(`${number}\\s+passed\\s+olive`));
    expect(await sluice(adam.token, 'doctor')).toContain(`review        request ${number}: whoever asked passed it`);
    expect(await sluice(olive.token, 'approvals', 'review', number, '--reason', 'fine')).toContain(
      'may not do this: it is for approver or admin or auditor',
    );
    expect(await sluice(bea.token, 'approvals', 'review', number, '--reason', 'fine')).toMatch(
      /reviewed \S+ by bea: fine/,
    );
    expect(await sluice(adam.token, 'doctor')).not.toContain('whoever asked passed it');
  });
});
