/** What a client of MCP meets: eras, sessions, pages, holds, cancellations; and what somebody who means harm does. */
/* oxlint-disable typescript/no-explicit-any -- answers are what is tested, whatever their shape */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournal } from '@sluice/recording';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type McpStand, SmallClient, missingForTools, openMcpStand } from './mcp-tools-stand.js';
import { until } from './ssh-stand.js';

const missing = missingForTools;
/** Three servers have to start first. */
const START_MS = 180_000;
const ADA = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['user', 'approver'] } as const;
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

describe('the tools of the gateway', () => {
  let stand: McpStand;
  let client: SmallClient;
  let eve: SmallClient;
  let direct: pg.Client;
  const check = missing === undefined ? test : test.skip;

  beforeAll(async () => {
    if (missing !== undefined) return;
    stand = await openMcpStand({ limits: '{ sessions_per_principal: 12 }' });
    client = await SmallClient.open(stand.url, await stand.token('dev'));
    eve = await SmallClient.open(stand.url, await stand.token('eve'));
    const { host, port, user, password, database } = stand.postgres;
    direct = new pg.Client({ host, port, user, password, database });
    await direct.connect();
  }, START_MS);
  afterAll(async () => {
    await direct?.end();
    await stand?.stop();
  });

  const waiting = (): Promise<number> =>
    until(() => stand.gateway.approvals.waiting()[0]?.number, 'a request for approval');
  const noSessions = (): Promise<true> =>
    until(
      () =>
        [...stand.gateway.sessions.values()].every(
          ({ client: from, principal, isVisit }) => !from.startsWith('mcp ') || isVisit || principal?.name !== 'dev',
        ) || undefined,
      'the end of all sessions',
    );
  /** Statements with this text that run at the database. */
  const running = async (text: string): Promise<number> => {
    const { rows } = await direct.query(
      "select from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()",
      [`%${text}%`],
    );
    return rows.length;
  };

  describe('who is let in', () => {
    check('whoever has proven nothing sees what they see of any other path', async () => {
      const at = async (path: string, headers: Record<string, string>): Promise<unknown> => {
        const response = await fetch(new URL(path, stand.url), { method: 'POST', headers, body: '{}' });
        const { status } = response;
        return { status, body: await response.text(), way: response.headers.get('www-authenticate') };
      };
      for (const authorization of ['', `Bearer sluice_aaaaaaaaaa_${'a'.repeat(39)}`]) {
        const headers: Record<string, string> = authorization === '' ? {} : { authorization };
        expect(await at('/mcp', headers)).toEqual(await at('/nothing', headers));
        expect(await at('/.sluice/mcp', headers)).toEqual(await at('/nothing', headers));
      }
    });

    check('no web page is, whatever it shows, and whatever name it has given the gateway', async () => {
      const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
      const own = new URL(stand.url);
      for (const origin of ['http://evil.example', `http://${own.host}`, 'null'])
        expect((await client.post(ping, { origin })).status).toBe(403);
      expect((await client.post(ping, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
      expect((await client.post(ping)).status).toBe(200);
    });

    check('whoever is frozen has no tools either, and is told why', async () => {
      const { admissions } = stand.gateway;
      await admissions.freeze('user:eve', 'ada', 'looks odd');
      const response = await eve.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
      expect([response.status, await response.text()]).toEqual([
        403,
        expect.stringContaining('user:eve is frozen: looks odd'),
      ]);
      await admissions.thaw('user:eve', { actor: 'ada' }, 'it was a test');
      expect((await eve.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).status).toBe(200);
    });

    check('the control API has no tools', async () => {
      const response = await fetch(`${stand.gateway.url}/mcp`, { method: 'POST', body: '{}' });
      expect(response.status).not.toBe(200);
    });

    check('other methods and other bodies are refused', async () => {
      const token = await stand.token('dev');
      const get = await fetch(stand.url, { headers: { authorization: `Bearer ${token}` } });
      expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, DELETE']);
      expect((await client.post('{}', { 'content-type': 'text/plain' })).status).toBe(415);
      for (const [text, code] of [
        ['{', -32700],
        ['{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}', -32700],
        ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
        ['[]', -32600],
      ] as const) {
        const response = await client.post(text);
        expect([response.status, (await response.json()).error.code]).toEqual([400, code]);
      }
    });
  });

  describe('sessions of MCP', () => {
    check('one of another principal is none, and neither is one that is over or was made up', async () => {
      const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
      const of = async (who: SmallClient, session: string): Promise<number> =>
        (await who.post(ping, { 'mcp-session-id': session })).status;
      expect(await of(client, client.session)).toBe(200);
      expect(await of(eve, client.session)).toBe(404);
      expect(await of(client, `${client.session.slice(0, -1)}${client.session.endsWith('A') ? 'B' : 'A'}`)).toBe(404);
      expect(await of(client, client.session.replace('2025-11-25', '2025-03-26'))).toBe(404);
      // Another token of the same principal is another session, too.
      const other = await SmallClient.open(stand.url, await stand.token('dev'));
      expect(await of(other, client.session)).toBe(404);
      const ended = await fetch(stand.url, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${await stand.token('dev')}`, 'mcp-session-id': other.session },
      });
      expect(ended.status).toBe(404);
      expect(await of(other, other.session)).toBe(200);
    });

    check('ten thousand of them cost nothing that stays', async () => {
      const { McpSessions } = await import('../../packages/mcp-server/src/sessions.js');
      const sessions = new McpSessions();
      const ids = Array.from({ length: 10_000 }, () => sessions.begin('dev', '2025-11-25'));
      expect(new Set(ids).size).toBe(10_000);
      expect(sessions.versionOf('dev', ids[0] as string)).toBe('2025-11-25');
      for (const id of ids) sessions.end(id);
      expect(sessions.versionOf('dev', ids[0] as string)).toBeUndefined();
    });

    check('a request without one is told so', async () => {
      const bare = new SmallClient(stand.url, await stand.token('dev'));
      expect((await bare.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).status).toBe(400);
    });

    check('batches are answered in the one revision that has them', async () => {
      const bare = new SmallClient(stand.url, await stand.token('dev'));
      const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 't', version: '1' } };
      const begun = await bare.post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
      bare.session = begun.headers.get('mcp-session-id') ?? '';
      const batch = [1, 'a'].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
      expect((await (await bare.post(batch)).json()).map(({ id }: { id: unknown }) => id)).toEqual([1, 'a']);
      expect((await client.post(batch)).status).toBe(400);
    });
  });

  describe('the era without sessions', () => {
    const stateless = async (body: object, headers: Record<string, string>): Promise<any> => {
      const bare = new SmallClient(stand.url, await stand.token('dev'));
      const response = await bare.post(body, { ...headers, accept: 'application/json' });
      return { status: response.status, ...(await response.json()) };
    };
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'query' };
    const call = (sql: string, id = 1): object => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'query', arguments: { connection: 'db', sql }, _meta: META },
    });

    check('a call needs nothing before it', async () => {
      const { result } = await stateless(call('select 1 as n'), headers);
      expect(result.resultType).toBe('complete');
      expect(result.structuredContent.results[0].rows).toEqual([[1]]);
    });

    check('headers that disagree with the body are refused, and nothing has run', async () => {
      const before = stand.gateway.counted.allowed;
      for (const wrong of [
        { 'mcp-name': 'list_connections' },
        { 'mcp-method': 'tools/list' },
        { 'mcp-protocol-version': '2025-11-25' },
        { 'mcp-name': `=?base64?${Buffer.from('exec').toString('base64')}?=` },
      ]) {
        const { status, error } = await stateless(call('select 1'), { ...headers, ...wrong });
        expect([status, error.code]).toEqual([400, -32020]);
      }
      expect(stand.gateway.counted.allowed).toBe(before);
      const encoded = { 'mcp-name': `=?base64?${Buffer.from('query').toString('base64')}?=` };
      expect((await stateless(call('select 1'), { ...headers, ...encoded })).result.isError).toBeUndefined();
    });

    check('a revision that is not spoken is refused with those that are', async () => {
      const body = {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: { _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': '2031-01-01' } },
      };
      const { status, error } = await stateless(body, {
        'mcp-protocol-version': '2031-01-01',
        'mcp-method': 'tools/list',
      });
      expect([status, error.code, error.data.supported]).toEqual([400, -32022, ['2026-07-28']]);
    });
  });

  describe('what is listed', () => {
    check('tools are those that there is something for, and hints say what rules let somebody do', async () => {
      const names = (await client.tools()).map(({ name }) => name);
      expect(names).toEqual([
        'list_connections',
        'describe',
        'query',
        'exec',
        'request',
        'explain',
        'request_access',
        'my_requests',
      ]);
      const robot = await SmallClient.open(stand.url, await stand.token('robot'));
      const tools = await robot.tools();
      expect(tools.map(({ name }) => name)).toEqual([
        'list_connections',
        'describe',
        'query',
        'explain',
        'my_requests',
      ]);
      expect(tools.find(({ name }) => name === 'query').annotations).toMatchObject({
        readOnlyHint: false,
        destructiveHint: true,
      });
      await expect(robot.call('exec', { connection: 'vm', command: 'true' })).rejects.toThrow(
        'There is no tool "exec" for you',
      );
      expect(await robot.refusal('query', { connection: 'shop', sql: 'select 1' })).toBe(
        'There is no connection "shop" for this tool that you may use.\nThere are: db.',
      );
      expect(await robot.refusal('query', { connection: 'none', sql: 'select 1' })).toContain(
        'There is no connection "none"',
      );
    });

    check(
      'what begins no session is on record all the same, without secrets; a fault of the gateway stays with it',
      async () => {
        await client.tools();
        await client.call('list_connections', {});
        await client.call('explain', { connection: 'db', text: "alter role dev password 'hunter2'" });
        const body = JSON.stringify({ name: 'x', password: 'hunter2' });
        await client.call('explain', { connection: 'svc', method: 'PUT', path: '/a?token=hunter2&b=c', body });
        await client.call('my_requests', {});
        stand.gateway.log.flush();
        const noted = [...readJournal(join(stand.folder, 'data', 'journal'))].flatMap(({ header }) =>
          header.k === 'admin' && header.actor === 'dev' && header.action.startsWith('mcp.')
            ? [`${header.action} ${header.detail}`]
            : [],
        );
        expect(noted).toContain(
          'mcp.tools/list list_connections describe query exec request explain request_access my_requests',
        );
        expect(noted).toContain('mcp.list_connections db shop vm svc guarded');
        expect(noted.some((one) => one.startsWith('mcp.explain db: alter role dev password '))).toBe(true);
        expect(noted.some((one) => /^mcp\.explain svc: PUT \/a\?token=.*&b=c \{"name":"x"/.test(one))).toBe(true);
        expect(noted.join('\n')).not.toContain('hunter2');
        expect(noted).toContain('mcp.my_requests ');

        const { rules } = stand.gateway;
        Object.assign(stand.gateway, {
          rules: {
            of: () => {
              throw new Error('cannot open /var/lib/sluice/secret');
            },
          },
        });
        const failed = await client.messages('tools/call', {
          name: 'explain',
          arguments: { connection: 'db', text: 'select 1' },
        });
        Object.assign(stand.gateway, { rules });
        expect(failed[0].error.message).toBe('The gateway could not carry out this call.');
        expect(JSON.stringify(failed)).not.toContain('/var/lib');
      },
    );

    check('names that mean harm are described like others, and run nothing', async () => {
      const { tables } = (await client.call('describe', { connection: 'db' })).structuredContent;
      const { name, schema } = tables.find((one: { name: string }) => one.name.startsWith('odd'));
      expect(name).toBe('odd "name" ; drop');
      const { columns } = (await client.call('describe', { connection: 'db', schema, table: name })).structuredContent;
      expect(columns.map((one: { name: string }) => one.name)).toEqual(['id', 'a "b"']);
      expect(await client.refusal('describe', { connection: 'db', schema: "public' or '1'='1" })).toContain(
        'Only schemas',
      );
      expect(await client.refusal('describe', { connection: 'db', table: 'x"; drop table people; --' })).toContain(
        'does not exist',
      );
    });

    check('masked columns are named', async () => {
      for (const connection of ['db', 'shop']) {
        const { columns } = (await client.call('describe', { connection, table: 'people' })).structuredContent;
        expect(columns.filter((one: { masked?: true }) => one.masked).map((one: { name: string }) => one.name)).toEqual(
          ['mail'],
        );
      }
    });
  });

  check('a statement that waits at the database while what it reads is defined anew shows nothing of it', async () => {
    await direct.query('create view pub as select name as shown from people');
    const read = { connection: 'db', sql: 'select shown from pub where shown is not null' };
    // A view that was made past the gateway is one that nobody knew, until the catalog is read again.
    await vi.waitFor(
      async () => {
        const { structuredContent } = await client.call('query', read);
        expect(structuredContent).toMatchObject({ results: [{ rows: [['Ann'], ['Bob']] }] });
      },
      { timeout: 20_000, interval: 200 },
    );
    const { host, port, user, password, database } = stand.postgres;
    const definer = new pg.Client({ host, port, user, password, database });
    await definer.connect();
    await definer.query('begin; create or replace view pub as select mail as shown from people');
    const refused = client.refusal('query', read);
    await vi.waitFor(async () => expect(await running('from pub')).toBe(1), { timeout: 20_000, interval: 20 });
    // Definitions that do not pass the gateway are looked for behind a statement of half a second.
    await sleep(600);
    await definer.query('commit');
    await definer.end();
    expect(await refused).toMatch(/Run it again/);
    const after = (await client.call('query', read)).structuredContent;
    expect(after.results).toMatchObject([{ rows: [['[masked]']] }]);
    await direct.query('drop view pub');
  });

  describe('results', () => {
    check('come in pages, each once, and only to whoever has asked', async () => {
      const first = (
        await client.call('query', { connection: 'db', sql: 'select id from many order by id', max_rows: 3 })
      ).structuredContent;
      expect(first).toMatchObject({ complete: false, results: [{ rows: [[1], [2], [3]] }] });
      expect(first.results[0].summary).toBeUndefined();
      expect(await eve.refusal('query', { cursor: first.cursor })).toContain('There is no such cursor of yours.');
      const second = (await client.call('query', { cursor: first.cursor, max_rows: 2 })).structuredContent;
      expect(second).toMatchObject({ complete: false, results: [{ rows: [[4], [5]] }] });
      expect(await client.refusal('query', { cursor: first.cursor })).toContain('There is no such cursor of yours.');
      const rows = [];
      for (let page = second; !page.complete; ) {
        page = (await client.call('query', { cursor: page.cursor, max_rows: 2000 })).structuredContent;
        rows.push(...page.results[0].rows);
        if (page.complete) expect(page.results[0].summary).toBe('SELECT 50000');
      }
      expect(rows).toEqual(Array.from({ length: 49_995 }, (_, at) => [at + 6]));
      await noSessions();
    });

    check('a gigabyte is read only as far as somebody asks, and its session ends with the last cursor', async () => {
      const before = process.memoryUsage().rss;
      const page = (
        await eve.call('query', {
          connection: 'db',
          sql: "select repeat('y', 1000000) from generate_series(1, 1000)",
        })
      ).structuredContent;
      expect(page.complete).toBe(false);
      expect(page.results[0].cut[0]).toMatchObject({ row: 0, characters: 1_000_000 });
      expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
      // Four more take the place of the one that waits.
      for (let i = 0; i < 4; i++)
        await eve.call('query', { connection: 'db', sql: 'select id from many', max_rows: 1 });
      expect(await eve.refusal('query', { cursor: page.cursor })).toContain('There is no such cursor');
    });

    check('what changes something is run to its end, however much it returns', async () => {
      const page = (
        await client.call('query', {
          connection: 'db',
          sql: 'insert into changes select generate_series(1, 500) returning id',
          max_rows: 10,
        })
      ).structuredContent;
      expect(page).toMatchObject({ complete: true, results: [{ omitted: 490, summary: 'INSERT 0 500' }] });
      expect(page.note).toContain('Not all rows are given');
      const { results } = (await client.call('query', { connection: 'db', sql: 'select count(*) from changes' }))
        .structuredContent;
      expect(results[0].rows).toEqual([[500]]);
    });

    check('a transaction that is left open is rolled back, and it says so', async () => {
      const said = await client.refusal('query', { connection: 'db', sql: 'begin; insert into changes values (-1)' });
      expect(said).toContain('left a transaction open, and it was rolled back');
      const { results } = (
        await client.call('query', { connection: 'db', sql: 'select count(*) from changes where id = -1' })
      ).structuredContent;
      expect(results[0].rows).toEqual([[0]]);
    });

    check.each([
      ['copy people to stdout', 'COPY to or from the client is not for this tool.'],
      ['copy changes from stdin', 'COPY to or from the client is not for this tool.'],
      ['', 'These arguments do not fit'],
    ])('%s is refused', async (sql, says) => {
      expect(await client.refusal('query', { connection: 'db', sql })).toContain(says);
    });

    check('a row of more than 4 MiB is refused, by both databases', async () => {
      expect(await client.refusal('query', { connection: 'db', sql: "select repeat('z', 5000000)" })).toContain(
        'is longer than the 4 MiB',
      );
      const halves = "select repeat('z', 3000000), repeat('z', 3000000)";
      expect(await client.refusal('query', { connection: 'shop', sql: halves })).toContain('is longer than the 4 MiB');
    });

    check('an answer of a service is cut, and said to be', async () => {
      const { structuredContent: answer } = await client.call('request', {
        connection: 'svc',
        path: '/large/5000000',
        max_bytes: 1000,
      });
      expect([answer.body.length, answer.truncated]).toEqual([1000, true]);
    });
  });

  describe('what a text sets', () => {
    const rowsOf = async (sql: string): Promise<unknown> => {
      const { results } = (await client.call('query', { connection: 'db', sql })).structuredContent;
      return [results.at(-1).columns[0].values, results.at(-1).rows];
    };

    check('bytes are in Base64 all the same', async () => {
      const value = String.raw`'\x005cff41'::bytea`;
      expect(await rowsOf(`select ${value} as b`)).toEqual(['base64', [['AFz/QQ==']]]);
      expect(await rowsOf(`set bytea_output = 'escape'; select ${value} as b`)).toEqual(['base64', [['AFz/QQ==']]]);
      expect(await rowsOf(`set bytea_output = 'escape'; select mail::bytea as b from people where id = 1`)).toEqual([
        'base64',
        [[null]],
      ]);
    });

    check('letters in another encoding are refused instead of being read wrong', async () => {
      expect(await rowsOf("set client_encoding = 'UTF8'; select 'é' as t")).toEqual(['string', [['é']]]);
      const sql = "set client_encoding = 'LATIN1'; select 'é' as t";
      expect(await client.refusal('query', { connection: 'db', sql })).toContain('client_encoding = UTF8');
    });
  });

  describe('calls that wait', () => {
    check('say so, and give the number when they have waited long enough; the repeated call passes once', async () => {
      const sql = 'select 42 as n /* HOLD: once */';
      const call = { name: 'query', arguments: { connection: 'db', sql, wait_s: 0.3 }, _meta: { progressToken: 'p' } };
      const messages = await client.messages('tools/call', call);
      const number = await waiting();
      expect(messages.at(0)).toMatchObject({
        method: 'notifications/progress',
        params: {
          progressToken: 'p',
          progress: 1,
          message: expect.stringContaining(`waits for an approval: request ${number}`),
        },
      });
      const { result } = messages.at(-1);
      expect(result['_meta']['sluice/refused']).toMatchObject({ request: number, rule: 'two-eyes' });
      const state = async (): Promise<string> => (await client.call('my_requests')).structuredContent.requests[0].state;
      expect(await state()).toBe('pending');
      expect((await eve.call('my_requests')).structuredContent.requests).toEqual([]);
      await stand.gateway.approvals.decide(number, ADA, 'approve', '');
      expect(await state()).toBe('approved');
      const again = await client.call('query', { connection: 'db', sql, wait_s: 0 });
      expect(again.structuredContent.results[0].rows).toEqual([[42]]);
      expect(await state()).toBe('used');
      expect(await client.refusal('query', { connection: 'db', sql, wait_s: 0 })).toContain('needs an approval');
      stand.gateway.approvals.withdraw(await waiting(), 'test');
    });

    check.each([
      ['exec', { connection: 'vm', command: 'echo HOLD' }, (result: any) => result.stdout.text, 'HOLD\n'],
      ['request', { connection: 'svc', path: '/HOLD' }, (result: any) => result.status, 200],
    ])('%s waits, too', async (name, args, of, expected) => {
      const result = client.call(name, args);
      await stand.gateway.approvals.decide(await waiting(), ADA, 'approve', '');
      expect(of((await result).structuredContent)).toEqual(expected);
    });

    check('a no comes with its reason', async () => {
      const said = client.refusal('query', { connection: 'shop', sql: 'select 1 /* HOLD: no */' });
      const number = await waiting();
      await stand.gateway.approvals.decide(number, ADA, 'deny', 'not today');
      expect(await said).toContain(`Request ${number} was denied by ada: not today`);
    });

    check('a cancellation withdraws the request, and so does a client that hangs up', async () => {
      const sql = 'select 1 /* HOLD: cancelled */';
      const params = { name: 'query', arguments: { connection: 'db', sql } };
      const held = client.messages('tools/call', params, undefined, 7001);
      let number = await waiting();
      // One of another session with the same id is not meant.
      await eve.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7001 } });
      expect((await stand.gateway.approvals.find(number))?.state).toBe('pending');
      await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7001 } });
      expect((await held).at(-1).result.content[0].text).toContain('The call was cancelled');
      await until(
        async () => (await stand.gateway.approvals.find(number))?.state === 'withdrawn' || undefined,
        'the withdrawal',
      );
      const gone = new AbortController();
      const hung = client.messages('tools/call', params, gone.signal).catch(() => 'hung up');
      number = await waiting();
      gone.abort();
      expect(await hung).toBe('hung up');
      await until(
        async () => (await stand.gateway.approvals.find(number))?.state === 'withdrawn' || undefined,
        'the withdrawal',
      );
      await noSessions();
    });

    check(
      'a statement that never ends is stopped at the database when its time is over, and when nobody waits',
      async () => {
        const sql = 'select pg_sleep(1000) /* endless */';
        expect(await client.refusal('query', { connection: 'db', sql, timeout_s: 1 })).toContain(
          'It took longer than 1 s and was cancelled.',
        );
        await until(async () => (await running('endless')) === 0 || undefined, 'the end of the statement');
        const gone = new AbortController();
        const hung = client.call('query', { connection: 'db', sql }, gone.signal).catch(() => 'hung up');
        await until(async () => (await running('endless')) === 1 || undefined, 'the statement');
        gone.abort();
        expect(await hung).toBe('hung up');
        await until(async () => (await running('endless')) === 0 || undefined, 'the end of the statement');
        expect(
          await client.refusal('query', { connection: 'shop', sql: 'select sleep(1000)', timeout_s: 1 }),
        ).toContain('It took longer than 1 s');
        expect(await client.refusal('exec', { connection: 'vm', command: 'sleep 1000', timeout_s: 1 })).toContain(
          'It took longer than 1 s',
        );
        await noSessions();
      },
    );

    check('access is asked for beforehand, and counts for every call', async () => {
      const asked = (await client.call('request_access', { connection: 'guarded' })).structuredContent;
      expect(asked).toMatchObject({ granted: false, request: expect.any(Number) });
      expect(await client.refusal('query', { connection: 'guarded', sql: 'select 1' })).toContain(
        `request ${asked.request}`,
      );
      await stand.gateway.approvals.decide(asked.request, ADA, 'approve', '');
      expect((await client.call('request_access', { connection: 'guarded' })).structuredContent.granted).toBe(true);
      expect((await client.call('query', { connection: 'guarded', sql: 'select 1' })).isError).toBeUndefined();
      expect(await eve.refusal('query', { connection: 'guarded', sql: 'select 1', wait_s: 0 })).toContain(
        'need an approval',
      );
    });
  });

  check('a call is a session of the caller: listed, counted, ended like one, and on record', async () => {
    const endless = client.refusal('query', { connection: 'db', sql: 'select pg_sleep(1000) /* listed */' });
    const session = await until(
      () =>
        [...stand.gateway.sessions.values()].find(
          (one) => one.client.startsWith('mcp ') && one.principal?.name === 'dev' && one.busy,
        ),
      'the session',
    );
    expect([session.principal?.name, session.connection?.name, session.protocol]).toEqual(['dev', 'db', 'postgres']);
    expect(session.client).toMatch(/^mcp 127\.0\.0\.1:\d+$/);
    session.end({ code: 'ended-by-administrator', why: 'enough' });
    expect(await endless).toContain('The session was ended by an administrator: enough.');
    const many = Array.from({ length: 13 }, () =>
      client.call('query', { connection: 'db', sql: 'select pg_sleep(2)' }),
    );
    const said = (await Promise.all(many))
      .filter(({ isError }) => isError === true)
      .map(({ content }) => content[0]?.text);
    expect(said.length).toBeGreaterThan(0);
    expect(new Set(said)).toEqual(
      new Set([
        '"dev" has 12 sessions open, which is the most there may be.\nClose one, or have limits.sessions_per_principal raised.',
      ]),
    );
  });

  check('other rules hold for the next call, and a token that is revoked for none', async () => {
    const token = await stand.token('dev');
    const own = await SmallClient.open(stand.url, token);
    const page = (await own.call('query', { connection: 'db', sql: 'select id from many', max_rows: 1 }))
      .structuredContent;
    await stand.reload(`
    - { rule: reads-only, when: 'action.effects.exists(e, e != "read")', deny: Only reading here. }`);
    expect((await own.tools()).find(({ name }) => name === 'query').annotations).toMatchObject({ readOnlyHint: true });
    expect(await own.refusal('query', { connection: 'db', sql: 'insert into changes values (1)' })).toContain(
      'Only reading here.',
    );
    const id = /^sluice_([a-z0-9]+)_/.exec(token)?.[1] ?? '';
    stand.gateway.identity.revokeToken(id);
    stand.gateway.endSessionsBy(id);
    expect((await own.post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(401);
    await until(
      () => ![...stand.gateway.sessions.values()].some((one) => one.tokenId === id) || undefined,
      'the end of what it had opened',
    );
    expect(page.cursor).toBeDefined();
  });

  check('a session that an administrator ends while its cursor waits is gone with its cursor', async () => {
    const token = await stand.token('dev');
    const own = await SmallClient.open(stand.url, token);
    const sql = 'select id from many';
    const page = (await own.call('query', { connection: 'db', sql, max_rows: 1 })).structuredContent;
    expect(page.cursor).toBeDefined();
    const id = /^sluice_([a-z0-9]+)_/.exec(token)?.[1] ?? '';
    const sessions = (): string[] =>
      [...stand.gateway.sessions.values()].flatMap((one) => (one.tokenId === id ? one.id : []));
    const [session = ''] = sessions();
    stand.gateway.sessions.get(session)?.end({ code: 'ended-by-administrator' });
    expect(await own.refusal('query', { cursor: page.cursor })).toContain('There is no such cursor of yours.');
    await until(() => sessions().length === 0 || undefined, 'its end');
  });

  check('budgets and bounds hold for each call, also of a batch', async () => {
    await stand.reload(`
    - { rule: short, max_rows: 300 }
    - { rule: few, budget: { statements: 5, within: 1h } }`);
    const own = new SmallClient(stand.url, await stand.token('dev'));
    const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 't', version: '1' } };
    const begun = await own.post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    own.session = begun.headers.get('mcp-session-id') ?? '';
    const first = (await own.call('query', { connection: 'db', sql: 'select id from many' })).structuredContent;
    expect(first.results[0].rows).toHaveLength(200);
    expect(await own.refusal('query', { cursor: first.cursor })).toContain('300');
    const asked = { connection: 'db', sql: 'select 1 as n' };
    const batch = [1, 2, 3].map((id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'query', arguments: asked },
    }));
    const answers = (await (await own.post(batch)).json()) as any[];
    expect(answers.map(({ result }) => result.isError ?? false)).toEqual([false, false, false]);
    expect(await own.refusal('query', { connection: 'db', sql: 'select 1; select 2' })).toContain('"few"');
    expect(await own.refusal('query', asked)).toBe('not refused');
    expect(await own.refusal('query', asked)).toContain('"few"');
  });
});
