/** The same cases by the native client of each protocol and by tools: verdicts and values are the same. */
import { type Tool, findTool } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type McpStand, SmallClient, missingForTools, openMcpStand } from './mcp-tools-stand.js';
import { run } from './ssh-stand.js';

const missing = missingForTools;
/** Three servers have to start first. */
const START_MS = 180_000;
/** Between values and between rows, where no value has it. */
const FIELD = '\u001f';
const ROW = '\u001e';

/** What somebody was given: rows as texts, or why not. */
type Outcome = { readonly rows: readonly (readonly (string | null)[])[] } | { readonly no: string };

describe('tools and native clients', () => {
  let stand: McpStand;
  let client: SmallClient;
  let token: string;
  const check = (tool: Tool) => (missing !== undefined || !findTool(tool) ? test.skip : test);

  beforeAll(async () => {
    if (missing !== undefined) return;
    stand = await openMcpStand();
    token = await stand.token('dev');
    client = await SmallClient.open(stand.url, token);
  }, START_MS);
  afterAll(() => stand?.stop());

  /** Rows of every page, as the native client shows values. */
  const byTool = async (connection: string, sql: string): Promise<Outcome> => {
    const rows: (string | null)[][] = [];
    let args: object = { connection, sql, wait_s: 0, max_rows: 2000 };
    for (;;) {
      const { isError, content, structuredContent: page } = await client.call('query', args);
      if (isError === true) return { no: content[0]?.text ?? '' };
      for (const { columns, rows: some } of page.results)
        for (const row of some)
          rows.push(row.map((cell: unknown, at: number) => shown(cell, columns[at].values, connection)));
      if (page.complete) return { rows };
      args = { cursor: page.cursor, max_rows: 2000 };
    }
  };

  const byPsql = async (sql: string): Promise<Outcome> => {
    const { stdout, stderr } = await run(
      findTool('psql') as string,
      ['-X', '-q', '-A', '-t', '-F', FIELD, '-R', ROW, '-P', 'null=\\N', '-v', 'VERBOSITY=verbose', '-c', sql],
      {
        env: {
          PGHOST: '127.0.0.1',
          PGPORT: String(stand.ports.postgres),
          PGUSER: 'dev',
          PGDATABASE: 'db',
          PGPASSWORD: token,
          PGCLIENTENCODING: 'UTF8',
        },
      },
    );
    if (stderr.includes('ERROR:')) return { no: stderr };
    const text = stdout.toString().replace(/\n$/, '');
    const lines = text === '' ? [] : text.split(/[\u001e\n]/);
    return { rows: lines.map((line) => line.split(FIELD).map((one) => (one === '\\N' ? null : one))) };
  };

  const SAME: readonly (readonly [name: string, sql: string])[] = [
    ['allowed', 'select id, name from people order by id'],
    ['NULL and a mask', 'select id, mail from people order by id'],
    ['a mask in a computation', "select upper(mail) || '!' from people order by id"],
    [
      'types',
      `select 9007199254740993::bigint, 9007199254740991::bigint, 12.50::numeric, 'NaN'::float8, 0.1::float8 + 0.2, 1e20::float8, true, null::bool,
       '\\x00ff'::bytea, '{"a": 1.0}'::jsonb, array[1, null, 3], date '2026-02-28', interval '1 day 2 hours', timestamptz '2026-01-01 00:00+00',
       'über "quoted" \\ back', ''::text, 5::smallint, 4294967295::oid, inet '10.0.0.1/8', numrange(1, 2), -0.0::float8`,
    ],
    ['no rows', 'select 1 where false'],
    ['a huge result', 'select * from many order by id'],
    ['two statements', 'select 1; select 2'],
  ];
  check('psql').each(SAME)('psql and query give the same: %s', async (_, sql) => {
    const native = await byPsql(sql);
    expect(native).toHaveProperty('rows');
    expect(await byTool('db', sql)).toEqual(native);
  });

  const REFUSED: readonly (readonly [name: string, sql: string, code: string])[] = [
    ['refused by a rule', 'drop table people', '42501'],
    ['refused in the second statement', 'select 1; drop table people', '42501'],
    ['a syntax error', 'selec 1', '42601'],
    ['a division by zero', 'select 1 / 0', '22012'],
    ['a table that is not there', 'select * from nowhere', '42P01'],
    ['code that nobody has read', "do 'begin end'", '42501'],
    ['a masked column that is written elsewhere', 'insert into changes select length(mail) from people', '42501'],
  ];
  check('psql').each(REFUSED)('psql and query are told the same: %s', async (_, sql, code) => {
    const native = await byPsql(sql);
    const tool = await byTool('db', sql);
    if (!('no' in native) || !('no' in tool)) return expect({ native, tool }).toBe('refused both times');
    const [, state = '', message = ''] = /ERROR: {2}(\w{5}): (.*)/.exec(native.no) ?? [];
    expect(state).toBe(code);
    expect(tool.no).toContain(message);
    if (code !== '42501') expect(tool.no).toContain(`(SQLSTATE ${code})`);
  });

  check('psql')('a held statement waits by both, and passes when it has been approved', async () => {
    const sql = 'select 7 as n /* HOLD */';
    const pending = async (): Promise<number> => {
      for (;;) {
        const found = stand.gateway.approvals.waiting()[0];
        if (found) return found.number;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const native = byPsql(sql);
    await stand.gateway.approvals.decide(await pending(), ADA, 'approve', '');
    expect(await native).toEqual({ rows: [['7']] });
    const tool = client.call('query', { connection: 'db', sql });
    await stand.gateway.approvals.decide(await pending(), ADA, 'approve', '');
    expect((await tool).structuredContent.results[0].rows).toEqual([[7]]);
  });

  const byMariaDb = async (sql: string): Promise<Outcome> => {
    const { stdout, stderr } = await run(
      findTool('mariadb') as string,
      [
        '-h',
        '127.0.0.1',
        '-P',
        String(stand.ports.mysql),
        '-u',
        'dev%shop',
        '--skip-ssl',
        '-N',
        '-B',
        '-r',
        '--binary-as-hex',
        '-e',
        sql,
      ],
      { env: { MYSQL_PWD: token } },
    );
    if (stderr.includes('ERROR')) return { no: stderr };
    const text = stdout.toString().replace(/\n$/, '');
    const lines = text === '' ? [] : text.split('\n');
    return { rows: lines.map((line) => line.split('\t').map((one) => (one === 'NULL' ? null : one))) };
  };

  check('mariadb').each([
    ['allowed, masked, NULL and types', 'select id, name, mail, amount, big from people order by id'],
    ['bytes', 'select raw from people where id = 1'],
    ['computed', "select 0.1 + 0.2, 1/3, 1e300, date '2026-02-28', -0.0, ''"],
    ['nothing', 'select 1 from people where false'],
  ])('mariadb and query give the same: %s', async (_, sql) => {
    const native = await byMariaDb(sql);
    expect(native).toHaveProperty('rows');
    expect(await byTool('shop', sql)).toEqual(native);
  });

  check('mariadb').each([
    ['refused by a rule', 'drop table people'],
    ['a syntax error', 'selec 1'],
    ['a table that is not there', 'select * from nowhere'],
  ])('mariadb and query are told the same: %s', async (_, sql) => {
    const native = await byMariaDb(sql);
    const tool = await byTool('shop', sql);
    if (!('no' in native) || !('no' in tool)) return expect({ native, tool }).toBe('refused both times');
    const [, state = '', message = ''] = /ERROR \d+ \((\w{5})\)[^:]*: (.*)/.exec(native.no) ?? [];
    expect(message).not.toBe('');
    // What the gateway says, mariadb has with the rule on the same line.
    const [sentence = ''] = tool.no.split(/\n| \(SQLSTATE/);
    expect(message).toContain(sentence.slice(0, 60));
    if (tool.no.includes('SQLSTATE')) expect(tool.no).toContain(`(SQLSTATE ${state})`);
  });

  check('ssh').each([
    ['output, errors and a code', 'printf "a\\0b"; echo sorry >&2; exit 3'],
    ['refused', 'echo DESTROY'],
    ['a large output', 'head -c 200000 /dev/zero | tr "\\0" x'],
  ])('ssh and exec: %s', async (_, command) => {
    const native = await run(findTool('ssh') as string, [
      '-p',
      String(stand.ports.ssh),
      '-i',
      stand.key,
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'LogLevel=ERROR',
      'vm@127.0.0.1',
      command,
    ]);
    const {
      isError,
      content,
      structuredContent: ran,
    } = await client.call('exec', { connection: 'vm', command, max_bytes: 262_144 });
    if (isError === true) {
      const [sentence = ''] = (content[0]?.text ?? '').split('\n');
      return expect(native.stderr).toContain(sentence);
    }
    expect(native.status).toBe(ran.exit_code);
    expect(bytesOf(ran.stdout).equals(native.stdout)).toBe(true);
    expect(bytesOf(ran.stderr).toString()).toBe(native.stderr);
  });

  check('curl').each([
    ['an answer', '/items?a=1'],
    ['bytes', '/binary'],
    ['refused', '/DESTROY'],
  ])('curl and request: %s', async (_, path) => {
    const native = await run(findTool('curl') as string, [
      '-s',
      '-i',
      '-H',
      `Authorization: Bearer ${token}`,
      '-H',
      'Accept-Encoding: identity',
      '-H',
      'Accept:',
      '-H',
      'User-Agent:',
      `http://127.0.0.1:${stand.ports.http}/svc${path}`,
    ]);
    const split = native.stdout.indexOf('\r\n\r\n');
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(native.stdout.toString())?.[1]);
    const body = native.stdout.subarray(split + 4);
    const { isError, content, structuredContent: answer } = await client.call('request', { connection: 'svc', path });
    if (isError === true) {
      expect(status).toBe(403);
      const { detail, rule } = JSON.parse(body.toString());
      return expect((content[0]?.text ?? '').split('\n').slice(0, 2)).toEqual([detail, `Refused by rule "${rule}".`]);
    }
    expect(answer.status).toBe(status);
    const given = Buffer.from(answer.body, answer.encoding);
    expect(given.toString('latin1')).toBe(body.toString('latin1'));
  });
});

const ADA = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['user', 'approver'] } as const;

const bytesOf = ({ text, encoding }: { text: string; encoding: BufferEncoding }): Buffer => Buffer.from(text, encoding);

/** As the native client shows it. */
function shown(cell: unknown, written: string, connection: string): string | null {
  if (cell === null) return null;
  if (typeof cell === 'boolean') return cell ? 't' : 'f';
  if (written !== 'base64') return String(cell);
  const hex = Buffer.from(String(cell), 'base64').toString('hex');
  return connection === 'db' ? `\\x${hex}` : `0x${hex.toUpperCase()}`;
}
