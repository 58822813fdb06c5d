import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ConnectionRow, WhoAmI } from '@sluice/api';
import {
  Browser,
  type PostgresServer,
  findTool,
  missingPostgres,
  missingTool,
  startPostgres,
  temporaryFolder,
} from '@sluice/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DevIssuer, startIssuer } from '@sluice/testkit/issuer';
import { type Stand, openStand, targetOf } from './stand.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');
const missing = missingPostgres(18);
const check = missing ? test.skip : test;

let server: PostgresServer;
let issuer: DevIssuer;
let stand: Stand;
let home: ReturnType<typeof temporaryFolder>;

beforeAll(async () => {
  if (missing) return;
  issuer = await startIssuer(0);
  server = await startPostgres({ major: 18 });
  stand = await openStand({
    target: targetOf(server),
    sections: `issuers: { demo: { issuer: "${issuer.url}", audience: sluice, client_id: sluice, scopes: [openid, profile, groups], groups: groups } }
roles: { approver: ["group:dba"] }`,
  });
});
afterAll(async () => {
  await stand?.stop();
  await server?.stop();
  await issuer?.close();
});
beforeEach(() => {
  home = temporaryFolder('home');
});
afterEach(() => home.remove());

const environment = (): NodeJS.ProcessEnv => {
  const { SLUICE_TOKEN: _, SLUICE_URL: __, ...rest } = process.env;
  return { ...rest, XDG_CONFIG_HOME: home.path, NO_COLOR: '1' };
};
const all = (...args: string[]): string[] => [
  MAIN,
  '--url',
  stand.gateway.url,
  '--data',
  join(home.path, 'none'),
  ...args,
];

const sluice = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, all(...args), { env: environment() })).stdout;

const complaint = async (...args: string[]): Promise<string> =>
  sluice(...args).then(
    () => 'no error',
    (error: { stderr: string }) => error.stderr,
  );

/** A login that somebody has yet to carry out in a browser. */
function begin(...args: string[]): {
  said: (pattern: RegExp) => Promise<string>;
  done: Promise<string>;
  child: ChildProcess;
} {
  const child = spawn(process.execPath, all('login', ...args), { env: environment() });
  let errors = '';
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return {
    child,
    done: new Promise((resolve) => child.once('close', (status) => resolve(status === 0 ? output : errors))),
    said: async (pattern) => {
      for (;;) {
        const found = pattern.exec(errors);
        if (found) return found[1] ?? found[0];
        if (child.exitCode !== null) throw new Error(errors);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

async function loginAs(account: string): Promise<string> {
  const { said, done } = begin('--no-browser');
  const browser = new Browser();
  await browser.open(await said(/(http:\S+)/));
  await browser.submit({ account });
  expect(browser.text).toContain('Logged in');
  return done;
}

describe('sluice login', () => {
  check('in a browser: code with PKCE, state and nonce; the command line is somebody from then on', async () => {
    const { said, done } = begin('--no-browser');
    const address = new URL(await said(/(http:\S+)/));
    expect(Object.fromEntries(address.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
    });
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(address.searchParams.get(name)?.length).toBeGreaterThan(30);
    const browser = new Browser();
    await browser.open(address);
    expect(browser.text).toContain('Who are you?');
    await browser.submit({ account: 'ana' });
    expect(await done).toMatch(/^Logged in as ana; roles user; groups engineers; known by demo;/);
    expect(JSON.parse(await sluice('whoami', '-o', 'json'))).toMatchObject({ name: 'ana', groups: ['engineers'] });
    const rows: ConnectionRow[] = JSON.parse(await sluice('ls', '-o', 'json'));
    expect(rows.map(({ name }) => name)).toEqual(['db']);
  });

  check('keeps the token for its user only, and shows it to its own gateway only', async () => {
    await loginAs('ana');
    const folder = join(home.path, 'sluice');
    expect(readdirSync(folder)).toEqual(['credentials.json']);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'credentials.json')).mode & 0o777).toBe(0o600);
    const elsewhere = promisify(execFile)(
      process.execPath,
      [MAIN, '--url', 'http://127.0.0.1:1', '--data', home.path, 'whoami'],
      {
        env: environment(),
      },
    );
    await expect(elsewhere).rejects.toThrow('No token to show');
  });

  check('by device: a code that is entered in a browser elsewhere', async () => {
    const { said, done } = begin('--device');
    const page = await said(/Open (http:\S+)/);
    const code = await said(/^ {2}([A-Z]{4}-[A-Z]{4})$/m);
    const browser = new Browser();
    await browser.open(page);
    await browser.submit({ user_code: 'AAAA-AAAA' });
    expect(browser.text).toContain('not known');
    await browser.submit({ user_code: code });
    expect(browser.text).toContain('Is this your terminal?');
    await browser.submit();
    await browser.submit({ account: 'ben' });
    expect(browser.text).toContain('Logged in');
    expect(await done).toMatch(/^Logged in as ben; roles user, approver; groups dba;/);
  });

  check('a visitor with another state is sent off, and the login goes on', async () => {
    const { said, done } = begin('--no-browser');
    const address = new URL(await said(/(http:\S+)/));
    const callback = address.searchParams.get('redirect_uri') ?? '';
    for (const forged of ['?code=stolen&state=guessed', '?code=stolen', ''])
      expect((await fetch(callback + forged)).status).toBe(404);
    const browser = new Browser();
    await browser.open(address);
    await browser.submit({ account: 'ana' });
    expect(await done).toMatch(/^Logged in as ana/);
  });

  check('the address that the browser comes back to is good for one visit', async () => {
    const { said, done } = begin('--no-browser');
    const browser = new Browser();
    await browser.open(await said(/(http:\S+)/));
    await browser.submit({ account: 'ana' });
    expect(browser.url.searchParams.get('code')).toBeTruthy();
    await done;
    await expect(fetch(browser.url)).rejects.toThrow('fetch failed');
  });

  check('is said to be over when the provider no longer goes on with it; logout ends it', async () => {
    expect(await complaint('logout')).toContain('You are not logged in');
    await loginAs('ana');
    const file = join(home.path, 'sluice', 'credentials.json');
    const kept: Record<string, { expires: number; token: string; refreshToken: string }> = JSON.parse(
      readFileSync(file, 'utf8'),
    );
    const [url = '', credential] = Object.entries(kept)[0] ?? [];
    const change = (more: object): void => writeFileSync(file, JSON.stringify({ [url]: { ...credential, ...more } }));

    change({ expires: 1, token: 'old' });
    expect(await sluice('whoami')).toMatch(/^ana;/);
    expect(JSON.parse(readFileSync(file, 'utf8'))[url].token).not.toBe('old');

    change({ expires: 1, refreshToken: 'wrong' });
    expect(await complaint('whoami')).toContain('Your login has expired');
    change({ expires: 1, refreshToken: undefined });
    expect(await complaint('whoami')).toContain('Your login has expired');
    expect(await sluice('logout')).toContain('Logged out');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({});
    expect(await complaint('whoami')).toContain('No token to show');
  });

  check('logins, logouts and tokens are on record', async () => {
    await loginAs('ana');
    await sluice('token', 'create', '--expires', '1h', '--role', 'user');
    await sluice('logout');
    stand.gateway.log.flush();
    const folder = stand.gateway.journal.folder;
    const text = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'latin1'))
      .join('');
    for (const action of ['login', 'token.create', 'logout'])
      expect(text).toMatch(new RegExp(`"k":"admin","t":\\d+,"actor":"ana","action":"${action}"`));
  });
});

describe('as who is logged in', () => {
  check('connect opens a session', async () => {
    await loginAs('ana');
    expect(await sluice('connect', 'db', '--builtin', '-c', 'select 42 as answer')).toContain('42');
    expect(await complaint('connect', 'db', '--user', 'dev', '-c', 'select 1')).toContain('cannot log in as "dev"');
  });

  check('connect opens one where the listener prefers OAUTHBEARER, too', async () => {
    const other = await openStand({
      target: targetOf(server),
      listener: '{ address: 127.0.0.1, port: 0, login: oauth }',
    });
    try {
      const args = [
        MAIN,
        '--data',
        join(other.folder, 'data'),
        'connect',
        'db',
        '-u',
        'dev',
        '-c',
        'select 42 as answer',
      ];
      for (const builtin of [[], ['--builtin']]) {
        const { stdout } = await promisify(execFile)(process.execPath, [...args, ...builtin], { env: environment() });
        expect(stdout).toContain('42');
      }
    } finally {
      await other.stop();
    }
  });

  check('tokens are their own', async () => {
    await loginAs('ana');
    const token = (await sluice('token', 'create', '--name', 'laptop')).trim();
    const client = await stand.client({ user: 'ana', password: token });
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    const rows: { id: string; name: string }[] = JSON.parse(await sluice('token', 'ls', '-o', 'json'));
    const id = rows.find(({ name }) => name === 'laptop')?.id ?? '';
    expect(await sluice('token', 'revoke', id)).toContain('revoked');
    expect(await complaint('token', 'create', 'dev')).toContain('those of others are for admin');
    const who: WhoAmI = JSON.parse(await sluice('whoami', '-o', 'json'));
    expect(who.by).toBe('issuer');
  });
});

const psql = findTool('psql');
const withPsql = missing || missingTool('psql') ? test.skip : test;

describe('what other clients are told', () => {
  withPsql('a service file and a password file let psql in', async () => {
    await loginAs('ana');
    const token = join(home.path, 'token');
    writeFileSync(token, await sluice('token', 'create'));
    const files = { service: join(home.path, 'service'), passwords: join(home.path, 'passwords') };
    writeFileSync(files.service, await sluice('client-config', 'pg_service'));
    writeFileSync(files.passwords, await sluice('client-config', 'pgpass', 'db', '--token-file', token), {
      mode: 0o600,
    });
    const { stdout } = await promisify(execFile)(psql ?? '', ['service=db', '-Atc', 'select 42'], {
      env: { ...environment(), PGSERVICEFILE: files.service, PGPASSFILE: files.passwords },
    });
    expect(stdout).toBe('42\n');
  });

  withPsql('also with one of more tokens than are tried, whose id is named then', async () => {
    await loginAs('ana');
    const token = join(home.path, 'token');
    const { identity } = stand.gateway;
    const first = identity.bearer((await sluice('token', 'create')).trim());
    if (!first) throw new Error('the token proves nothing');
    // However many others there are: the oldest are tried, so the last one is not.
    const made = await Promise.all(
      Array.from({ length: 8 }, () => identity.createToken({ principal: first.principal, name: 'more' })),
    );
    const last = await identity.createToken({ principal: first.principal, name: 'last' });
    writeFileSync(token, last.token);
    const user = `ana+${last.stored.id}`;
    const files = { service: join(home.path, 'service'), passwords: join(home.path, 'passwords') };
    writeFileSync(files.service, await sluice('client-config', 'pg_service', '--token-file', token));
    writeFileSync(files.passwords, await sluice('client-config', 'pgpass', 'db', '--token-file', token), {
      mode: 0o600,
    });
    expect(readFileSync(files.service, 'utf8')).toContain(`\nuser=${user}\n`);
    const { stdout } = await promisify(execFile)(psql ?? '', ['service=db', '-Atc', 'select 42'], {
      env: { ...environment(), PGSERVICEFILE: files.service, PGPASSFILE: files.passwords },
    });
    expect(stdout).toBe('42\n');
    for (const format of ['env', 'jdbc'])
      expect(decodeURIComponent(await sluice('client-config', format, 'db', '--token-file', token))).toContain(user);
    for (const { stored } of [...made, last]) identity.revokeToken(stored.id);
  });

  withPsql('so do environment variables', async () => {
    await loginAs('ana');
    const script = `${await sluice('client-config', 'env', 'db')}\nexec psql -Atc 'select 42'`;
    const token = (await sluice('token', 'create')).trim();
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      env: { ...environment(), PGPASSWORD: token },
    });
    expect(stdout).toBe('42\n');
  });

  check('a JDBC URL has no password in it, and a connection that is not yours is none', async () => {
    await loginAs('ana');
    expect(await sluice('client-config', 'jdbc')).toBe(
      `jdbc:postgresql://127.0.0.1:${stand.port}/db?user=ana&sslmode=require\n`,
    );
    expect(await complaint('client-config', 'env', 'elsewhere')).toContain(
      'There is no connection "elsewhere" for you.',
    );
    await loginAs('ben');
    expect(await complaint('client-config', 'jdbc')).toContain('There is no connection for you.');
  });
});

test('bash completes commands and options, also behind options of the whole program', async () => {
  const { stdout: script } = await promisify(execFile)(process.execPath, [MAIN, 'completion', 'bash']);
  const complete = async (...words: string[]): Promise<string> => {
    const line = words.map((word) => `'${word}'`).join(' ');
    const body = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _sluice; echo "\${COMPREPLY[@]}"`;
    return (await promisify(execFile)('bash', ['-c', body])).stdout.trim();
  };
  expect(await complete('sluice', 'approvals', 'a')).toBe('approve');
  expect(await complete('sluice', '-o', 'json', 'token', 'create', '--ro')).toBe('--role');
  expect(await complete('sluice', 'log')).toBe('logs login logout');
});

describe('the provider of the demo', () => {
  check('has no page of a library, and knows nobody else', async () => {
    const { said, child } = begin('--no-browser');
    const browser = new Browser();
    await browser.open(await said(/(http:\S+)/));
    expect(browser.text).not.toMatch(/oidc-provider|development/i);
    expect(browser.headers['content-security-policy']).toContain("default-src 'none'");
    for (const account of ['root', '__proto__', 'constructor', '']) {
      await browser.submit({ account });
      expect(browser.status).toBe(400);
    }
    child.kill();
  });

  check('does not show its page to who has only the address of another login', async () => {
    const { said, child } = begin('--no-browser');
    const browser = new Browser();
    await browser.open(await said(/(http:\S+)/));
    const stranger = new Browser();
    await stranger.open(browser.url);
    expect(stranger.status).toBe(400);
    expect(stranger.text).toContain('This did not work');
    child.kill();
  });
});
