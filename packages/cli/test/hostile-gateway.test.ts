import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pc from 'picocolors';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { main, paint, print, readBeacon, sluice } from '../src/index.js';

/** What the gateway of this test answers, by path, and what it was shown. */
const answers = new Map<string, unknown>();
const shown: (string | undefined)[] = [];
let server: Server;
let url: string;
let folder: string;
let output: string;

beforeAll(async () => {
  server = createServer((request: IncomingMessage, response) => {
    shown.push(request.headers.authorization);
    const answer = answers.get(new URL(request.url ?? '', 'http://x').pathname);
    response.statusCode = answer === undefined ? 404 : 200;
    if (typeof answer === 'string') response.end(answer);
    else
      response.end(
        JSON.stringify(answer ?? { message: 'none \u001b]0;PWNED\u0007of \u202ethat', hint: 'no\u001b[2J' }),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  answers.clear();
  shown.length = 0;
  output = '';
  // Where the environment says CI, there are colours without a terminal.
  pc.isColorSupported = false;
  const take = (text: string | Uint8Array): boolean => {
    output += text.toString();
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  vi.stubEnv('SLUICE_TOKEN', '');
  vi.stubEnv('SLUICE_URL', '');
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  process.exitCode = undefined;
});

const run = async (...words: string[]): Promise<string> => {
  await main(sluice({ add: () => undefined }, { data: join(folder, '.sluice'), version: '0' }), [
    'node',
    'sluice',
    ...words,
  ]);
  return output;
};
const named = (...words: string[]): Promise<string> => run('--url', url, '--token', 'sluice_mine', ...words);

/** Whatever makes a terminal do something, or makes a text look like another one. */
const OBEYED = /(?!\n|\t)[\p{Cc}\p{Cf}]/u;

describe('a gateway that is not what it seems', () => {
  const row = { name: 'vm', protocol: 'ssh', listener: '127.0.0.1:1', policies: [] };

  test.each([
    ['an option for ssh as the listener', { listener: '-oProxyCommand=touch FILE;:22' }],
    ['an option for ssh in brackets', { listener: '[-oProxyCommand=touch FILE]:22' }],
    ['an option for ssh as the port', { listener: '127.0.0.1:-oProxyCommand=touch FILE' }],
    ['more than an address', { listener: '127.0.0.1 -oProxyCommand=touch FILE:22' }],
    ['a connection named as an option', { name: '-oProxyCommand=touch FILE' }],
    ['a connection string for psql as the host', { protocol: 'postgres', listener: "x' hostaddr=10.0.0.1:5432" }],
    ['a name of two lines', { name: 'vm\nHost *\n  ProxyCommand touch FILE' }],
  ])('runs no code on the client: %s', async (_, part) => {
    const file = join(folder, 'pwned');
    const hostile = JSON.parse(JSON.stringify({ ...row, ...part }).replaceAll('FILE', file)) as typeof row;
    answers.set('/v1/connections', [hostile]);
    answers.set('/v1/login', { user: 'me', token: 'sluice_x' });
    for (const words of [['ls'], ['connect', hostile.name, '-c', 'uptime'], ['client-config', 'pg_service']]) {
      output = '';
      const said = await named(...words.map((word) => (word.startsWith('-o') ? 'vm' : word)));
      expect(said).toMatch(/The gateway names (a name of a connection|an address) that is none/);
      expect(said).not.toMatch(OBEYED);
    }
    expect(existsSync(file)).toBe(false);
  });

  test.each([
    ['host', 'gateway\n  ProxyCommand touch x'],
    ['host', '-oProxyCommand=x'],
    ['port', '22\nHost *'],
    ['hostKey', 'ssh-ed25519 AAAA\n@cert-authority * ssh-ed25519 AAAA'],
    ['userCa', 'ssh-ed25519 AAAA\nx'],
    ['connections', ['vm', 'x\n  ProxyCommand touch y']],
  ])('writes no lines of its own into ~/.ssh/config: %s', async (field, value) => {
    const good = { host: 'gw', port: 22, hostKey: 'ssh-ed25519 AAAA', userCa: 'ssh-ed25519 AAAA', connections: ['vm'] };
    answers.set('/v1/client-config/ssh', good);
    expect(await named('client-config', 'ssh')).toContain('Host sluice-vm');
    output = '';
    answers.set('/v1/client-config/ssh', { ...good, [field]: value });
    expect(await named('client-config', 'ssh')).toContain('that is none');
    expect(output).not.toContain('\n  ProxyCommand');
  });

  test('sends nobody to a provider that anybody between could play', async () => {
    answers.set('/v1/issuers', [
      { name: 'corp', issuer: 'http://login.example', clientId: 'x', scopes: [], token: 'id_token' },
    ]);
    expect(await run('--url', url, 'login')).toContain('an identity provider with an https address');
  });

  test('does not reach the terminal with what it says', async () => {
    const said = await named('sessions', 'show', 'x');
    expect(said).toContain('none \\x1b]0;PWNED\\x07of \\u{202e}that');
    expect(said).not.toMatch(OBEYED);
  });
});

describe('texts of others on their way to a terminal', () => {
  const hostile = 'g\u001b]0;PWNED\u0007 \u202egnp.\u2066x\u200b\u009b31m\r\u{e0041}';
  const entry = {
    at: 0,
    command: 1,
    decision: 'deny',
    rule: hostile,
    message: `${hostile}\nforged`,
    text: `${hostile}\nforged`,
  };

  test.each([
    ['a refusal', { ...entry, type: 'command' }],
    ['an answer', { ...entry, type: 'response', outcome: 'ok', summary: hostile, decision: undefined }],
    ['a failure', { ...entry, type: 'response', outcome: 'error', summary: hostile, decision: undefined }],
    ['an approval', { ...entry, type: 'approval', summary: `request 1: deny by bob, ${hostile}` }],
    ['the end', { ...entry, type: 'closed', summary: hostile }],
    [
      'rows',
      {
        ...entry,
        type: 'response',
        outcome: 'ok',
        result: { columns: [hostile], rows: [[hostile]], messages: [hostile], copied: [hostile] },
      },
    ],
  ])('%s in a session', async (_, one) => {
    answers.set('/v1/sessions/x/timeline', [one]);
    answers.set('/v1/sessions/x/watch', `data: ${JSON.stringify(one)}\n`);
    for (const words of [
      ['show', 'x'],
      ['replay', 'x', '--speed', '0'],
      ['watch', 'x'],
    ]) {
      output = '';
      const said = await named('sessions', ...words);
      expect(said).not.toMatch(OBEYED);
      expect(said).not.toMatch(/^forged/m);
      expect(said.length).toBeGreaterThan(10);
    }
    output = '';
    expect(await named('-o', 'json', 'sessions', 'show', 'x')).not.toMatch(OBEYED);
    expect(JSON.parse(output)).toEqual(JSON.parse(JSON.stringify([one])));
  });

  test('a session that is exported', async () => {
    answers.set('/v1/sessions/x/export', `${JSON.stringify({ text: hostile })}\n`);
    expect(await named('sessions', 'export', 'x')).not.toMatch(OBEYED);
    expect(JSON.parse(output)).toEqual({ text: hostile });
  });

  test('a request for approval, which is marked where it is not what it seems', async () => {
    const request = {
      number: 7,
      kind: 'command',
      state: 'pending',
      principal: hostile,
      connection: 'shop',
      session: 's',
      text: `delete from ${hostile}`,
      parameters: [hostile],
      requirements: [{ rule: hostile, approvers: [hostile], count: 1 }],
      onTimeout: 'deny',
      transaction: false,
      expires: '2026-01-01',
      words: [{ by: hostile, at: 'now', decision: 'deny', reason: `${hostile}\nforged` }],
      why: hostile,
    };
    answers.set('/v1/approvals', [request]);
    answers.set('/v1/approvals/7', request);
    expect(await named('approvals', 'ls')).not.toMatch(OBEYED);
    const said = await named('approvals', 'show', '7');
    expect(said).not.toMatch(OBEYED);
    expect(said).not.toMatch(/^forged/m);
    expect(said).toContain('delete from g\\x1b]0;PWNED\\x07 \\u{202e}gnp.');
    expect(said).toContain('characters that do not show');
  });

  test('colours are those that this program asks for', () => {
    pc.isColorSupported = true;
    print(`${paint.red('no')} \u001b[31mmine\u001b[0m ${paint.red('\u001b0123456789abcdef[32m')}`);
    expect(output).toBe('\u001b[31mno\u001b[39m \\x1b[31mmine\\x1b[0m \u001b[31m\\x1b0123456789abcdef[32m\u001b[39m\n');
  });
});

describe('a data folder decides little', () => {
  const data = (): string => join(folder, '.sluice');
  const place = (beacon: object, mode = 0o600): void => {
    mkdirSync(data(), { recursive: true, mode: 0o700 });
    writeFileSync(join(data(), 'gateway.json'), JSON.stringify(beacon), { mode });
    chmodSync(join(data(), 'gateway.json'), mode);
  };
  const beacon = (more: object = {}): object => ({
    url,
    pid: 1,
    tokenFile: join(data(), 'admin.token'),
    listeners: {},
    ...more,
  });
  beforeEach(() => answers.set('/v1/connections', []));

  test('it is believed where it is this user’s alone', async () => {
    place(beacon());
    writeFileSync(join(data(), 'admin.token'), 'sluice_admin\n', { mode: 0o600 });
    expect(await run('ls')).toContain('none');
    expect(shown).toEqual(['Bearer sluice_admin']);
  });

  test('a token outside of it is not sent', async () => {
    const secret = join(folder, 'one-line-secret');
    writeFileSync(secret, 'api-key-of-something-else\n', { mode: 0o600 });
    place(beacon({ tokenFile: secret }));
    expect(await run('ls')).toContain('No token');
    symlinkSync(secret, join(data(), 'admin.token'));
    place(beacon());
    expect(await run('ls')).toContain('No token');
    expect(shown).toEqual([]);
  });

  test('SLUICE_TOKEN goes only to an address that was named', async () => {
    place(beacon());
    vi.stubEnv('SLUICE_TOKEN', 'sluice_mine_secret');
    expect(await run('ls')).toContain('it is not shown there');
    expect(shown).toEqual([]);
    await run('--url', url, 'ls');
    vi.stubEnv('SLUICE_URL', url);
    await run('ls');
    expect(shown).toEqual(['Bearer sluice_mine_secret', 'Bearer sluice_mine_secret']);
  });

  test('it leads to this machine only', async () => {
    place(beacon({ url: 'https://127.evil.example:7432' }));
    expect(await run('ls')).toContain('it leads to another machine');
  });

  test.each([
    ['a file that others can write', () => place(beacon(), 0o666)],
    [
      'a folder that others can write',
      () => {
        place(beacon());
        chmodSync(data(), 0o777);
      },
    ],
    [
      'a link',
      () => {
        place(beacon());
        rmSync(join(data(), 'gateway.json'));
        writeFileSync(join(folder, 'other.json'), JSON.stringify(beacon()), { mode: 0o600 });
        symlinkSync(join(folder, 'other.json'), join(data(), 'gateway.json'));
      },
    ],
    ['what no gateway wrote', () => place({ url: 'file:///etc/passwd', pid: 1, tokenFile: 'x', listeners: {} })],
  ])('it is not believed: %s', (_, make) => {
    make();
    expect(() => readBeacon(data())).toThrow('is not believed');
  });

  test.runIf(process.getuid?.() === 0)('it is not believed: another user’s', () => {
    place(beacon());
    const path = join(data(), 'gateway.json');
    // Only root can give a file away.
    chownSync(path, 65534, 65534);
    expect(() => readBeacon(data())).toThrow('belongs to another user');
  });

  test('a token goes nowhere in the clear', async () => {
    vi.stubEnv('SLUICE_TOKEN', 'sluice_mine_secret');
    expect(await run('--url', 'http://gateway.example:7432', 'ls')).toContain('is not https');
  });
});
