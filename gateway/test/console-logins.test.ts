/** Logins with a browser in every way there is, and what they let in: by SAML, of the command line, by SSH; security keys. In Chromium. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findTool, missingPostgres, temporaryFolder } from '@sluice/testkit';
import { answerXml, signedBoth } from '@sluice/testkit/saml-idp';
import type { SamlIdp } from '@sluice/testkit/saml-idp';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import {
  atRest,
  type ConsoleStand,
  loggedIn,
  missingChromium,
  openBrowser,
  openConsoleStand,
  picture,
  plugIn,
  post,
  sign,
} from './console-stand.js';

/** What is decided with a security key: while its client waits, and for one that comes again. */
const RULES = `
    - { rule: with-key, when: 'action.tables.exists(t, t.endsWith("vault")) && action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 10m, step_up: webauthn } }
    - { rule: later-with-key, when: 'action.tables.exists(t, t.endsWith("safe")) && action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 10m, fail: true, step_up: webauthn } }`;

/** Programs are started for it, on a machine that is busy. */
const SEVERAL_COMMANDS = { timeout: 120_000 };
const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

describe.skipIf(missingPostgres(18) !== undefined || missingChromium())('logins with a browser', () => {
  let it: ConsoleStand;
  let idp: SamlIdp;
  let browser: Browser;

  beforeAll(async () => {
    it = await openConsoleStand({ host: 'localhost', saml: true, ssh: 'nobody', rules: RULES });
    idp = it.idp as SamlIdp;
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await it?.stop();
  });

  /** As pages of the console send it. */
  const own = (cookie: string): Record<string, string> => ({
    cookie,
    origin: it.origin,
    'x-sluice-console': 'active',
    'content-type': 'application/json',
  });
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${it.origin}${path}`, { redirect: 'manual', ...init });
  const cookieOf = (answer: Response, name: string): string =>
    answer.headers
      .getSetCookie()
      .find((line) => line.startsWith(`sluice-${name}=`))
      ?.split(';')[0] ?? '';

  /** A login by SAML that is begun in a browser of its own. */
  const begin = async (to = '/'): Promise<{ readonly cookie: string; readonly at: URL }> => {
    const answer = await ask(`/auth/login?issuer=okta&to=${encodeURIComponent(to)}`);
    return { cookie: cookieOf(answer, 'login'), at: new URL(answer.headers.get('location') ?? '') };
  };
  /** Brings an answer as the page of the provider does: from another site, without cookies. */
  const bring = (form: { readonly SAMLResponse: string; readonly RelayState: string }): Promise<Response> =>
    ask('/auth/saml/okta', {
      method: 'POST',
      headers: { origin: new URL(idp.ssoUrl).origin, 'sec-fetch-site': 'cross-site' },
      body: new URLSearchParams({ SAMLResponse: form.SAMLResponse, RelayState: form.RelayState }),
    });
  const whyOf = async (answer: Response): Promise<string> => {
    const location = new URL(answer.headers.get('location') ?? '', it.origin);
    const failed = location.searchParams.get('failed');
    if (failed === null) return `sent to ${location.pathname}`;
    const told = await ask(`/auth/failure?failed=${failed}`, { headers: { cookie: cookieOf(answer, 'failure') } });
    return ((await told.json()) as { why: string }).why;
  };
  /** Both steps; the cookie of whoever is logged in. */
  const login = async (person: string): Promise<string> => {
    const { cookie, at } = await begin();
    const brought = await bring(idp.answer(at, person));
    return cookieOf(await ask(brought.headers.get('location') ?? '', { headers: { cookie } }), 'session');
  };

  /** A page that shows what it has is for everybody. */
  const accessible = async (page: Page): Promise<void> => {
    await atRest(page);
    await page.evaluate(axe.source);
    const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
      violations: { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
    };
    expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
  };

  describe('by SAML', () => {
    test('somebody logs in at the provider, comes back to the page they wanted, and has their roles by its groups', async () => {
      const { page, complaints } = await loggedIn(browser, it.origin, 'ben', '/sessions', 'okta');
      expect(new URL(page.url()).pathname).toBe('/sessions');
      await page.getByRole('button', { name: 's-ben' }).click();
      await page.getByText('You are user, approver').waitFor();
      await page.getByText('s-dba').waitFor();
      expect(complaints).toEqual([]);
      const who = await page.evaluate(async () => (await fetch('/v1/whoami')).json());
      expect(who).toMatchObject({
        name: 's-ben',
        issuer: 'okta',
        subject: 'subject-of-ben',
        roles: ['user', 'approver'],
      });
      await page.context().close();
    });

    test('an answer comes from another site, and counts in the browser that asked only, once', async () => {
      const { cookie, at } = await begin('/approvals/7');
      const form = idp.answer(at, 'ana');
      const brought = await bring(form);
      expect([brought.status, brought.headers.getSetCookie()]).toEqual([303, []]);
      const looked = brought.headers.get('location') ?? '';
      expect(looked).toMatch(/^\/auth\/saml\/okta\/answer\?handle=[\w-]{32}$/);
      // Another browser, one without a login, one that began another: each uses it up, so each has an answer of its own.
      const other = await begin();
      const tries: readonly [string, Record<string, string>][] = [
        ['without a cookie', {}],
        ['another login', { cookie: other.cookie }],
      ];
      for (const [what, headers] of tries) {
        const again = await begin();
        const at2 = (await bring(idp.answer(again.at, 'ana'))).headers.get('location') ?? '';
        const answer = await ask(at2, { headers });
        expect([what, cookieOf(answer, 'session')]).toEqual([what, '']);
        expect(await whyOf(answer)).toMatch(/not begun in this browser/);
      }
      const done = await ask(looked, { headers: { cookie } });
      expect(done.headers.get('location')).toBe('/approvals/7');
      expect(cookieOf(done, 'session')).toMatch(/=[\w-]{43}$/);
      expect(await whyOf(await ask(looked, { headers: { cookie } }))).toMatch(/looked at before/);
      expect(await whyOf(await bring(form))).toMatch(/it came before/);
    });

    test('answers that nobody asked for, of others or in another state, log in nobody', async () => {
      const { cookie, at } = await begin();
      const parts = idp.partsFor(at, 'ana');
      const form = (more: object): { SAMLResponse: string; RelayState: string } => ({
        SAMLResponse: Buffer.from(signedBoth(answerXml({ ...parts, ...more }), idp.signing)).toString('base64'),
        RelayState: at.searchParams.get('RelayState') ?? '',
      });
      expect(await whyOf(await bring(form({ inResponseTo: '' })))).toMatch(/nobody asked/);
      expect(await whyOf(await bring(form({ audience: 'https://other.example' })))).toMatch(
        /audience|for this gateway/i,
      );
      expect(await whyOf(await bring({ ...form({}), SAMLResponse: 'AAAA' }))).toMatch(/not taken here/);
      // A right answer, with the state of somebody else's login.
      const brought = await bring({ ...form({}), RelayState: 'x'.repeat(32) });
      const answer = await ask(brought.headers.get('location') ?? '', { headers: { cookie } });
      expect([await whyOf(answer), cookieOf(answer, 'session')]).toEqual([
        expect.stringMatching(/not begun in this browser/),
        '',
      ]);
      // Names that are none, and groups by the thousand.
      for (const more of [{ attributes: { login: ['a b'] } }, { attributes: {} }]) {
        const { cookie: mine, at: there } = await begin();
        const sent = await bring(idp.answer(there, 'ana', more));
        const said = await ask(sent.headers.get('location') ?? '', { headers: { cookie: mine } });
        expect(await whyOf(said)).toMatch(/What okta says of you is not taken here/);
      }
      for (const body of ['', 'SAMLResponse=', 'RelayState=x', `SAMLResponse=${'A'.repeat(700_000)}`]) {
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        const sent = await ask('/auth/saml/okta', { method: 'POST', headers, body });
        expect([body.length, [303, 400, 413].includes(sent.status)]).toEqual([body.length, true]);
      }
      // No form is taken elsewhere, nor of an issuer that speaks no SAML.
      const headers = { ...own(''), 'content-type': 'application/x-www-form-urlencoded' };
      expect((await ask('/v1/tokens', { method: 'POST', headers, body: 'name=x' })).status).not.toBe(200);
      expect((await ask('/auth/saml/corp', { method: 'POST', headers, body: 'SAMLResponse=AAAA' })).status).toBe(404);
    });

    test('whoever sends answers without end takes up no memory with them, and others log in', async () => {
      const { port } = new URL(it.origin);
      const head = `POST /auth/saml/okta HTTP/1.1\r\nhost: localhost:${port}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 300000\r\n\r\n`;
      // Of each a part, which is kept until the rest comes.
      const sent = Array.from({ length: 12 }, () => {
        let said = '';
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => undefined).on('data', (bytes) => (said += bytes.toString()));
        socket.write(`${head}SAMLResponse=${'A'.repeat(100_000)}`);
        return { socket, said: () => said };
      });
      const refused = (): number => sent.filter(({ said }) => said().startsWith('HTTP/1.1 429')).length;
      await expect.poll(refused).toBe(4);
      for (const { socket } of sent) socket.destroy();
      const again = async (): Promise<string> => login('ana').catch(() => '');
      await expect.poll(again).toMatch(/=[\w-]{43}$/);
    });

    test('a login ends when the provider says, and who logs out is told that the provider still knows them', async () => {
      const { cookie, at } = await begin();
      const sessionEnds = Date.now() + 100_000;
      const brought = await bring(idp.answer(at, 'ana', { sessionEnds }));
      const done = await ask(brought.headers.get('location') ?? '', { headers: { cookie } });
      const line = done.headers.getSetCookie().find((one) => one.startsWith('sluice-session=')) ?? '';
      const age = Number(/Max-Age=(\d+)/.exec(line)?.[1]);
      expect(age).toBeGreaterThan(0);
      expect(age).toBeLessThanOrEqual(100);
      const session = cookieOf(done, 'session');
      const status = async (): Promise<number> => (await ask('/v1/whoami', { headers: own(session) })).status;
      expect(await status()).toBe(200);
      vi.useFakeTimers({ toFake: ['Date'], now: sessionEnds });
      try {
        expect(await status()).toBe(401);
      } finally {
        vi.useRealTimers();
      }
      const over = await begin();
      expect(await whyOf(await bring(idp.answer(over.at, 'ana', { sessionEnds: Date.now() - 1 })))).toContain(
        'the login at the provider is over already',
      );
      const { page } = await loggedIn(browser, it.origin, 'ben', '/', 'okta');
      await page.getByRole('button', { name: 's-ben' }).click();
      await page.getByRole('menuitem', { name: 'Log out' }).click();
      await page.getByText('You are logged out here').waitFor();
      await page.getByText('At okta this browser may be logged in still').waitFor();
      // An address has our page say nothing of somebody else's.
      await page.goto(`${it.origin}/?still=evil.example`);
      await page.getByText('Log in with okta').waitFor();
      expect(await page.getByText('You are logged out here').count()).toBe(0);
      await page.context().close();
    });

    test('administrators of a provider are given a document', async () => {
      const answer = await ask('/auth/saml/okta/metadata');
      expect(answer.headers.get('content-type')).toContain('xml');
      expect(await answer.text()).toContain(`Location="${it.origin}/auth/saml/okta"`);
      expect((await ask('/auth/saml/corp/metadata')).status).toBe(404);
    });

    test('a login ends where the settings of its issuer change, streams too, and no other does', async () => {
      const file = join(it.stand.folder, 'sluice.yaml');
      const text = readFileSync(file, 'utf8');
      const cookie = await login('ana');
      const { page } = await loggedIn(browser, it.origin, 'ben');
      const status = async (): Promise<number> => (await ask('/v1/whoami', { headers: own(cookie) })).status;
      const reload = async (changed: string): Promise<void> => {
        writeFileSync(file, changed);
        await it.stand.gateway.reload(readConfiguration(file).config, 'test');
      };
      await reload(text);
      expect(await status()).toBe(200);
      const events = await ask('/v1/events', { headers: own(cookie) });
      const over = events.text().then(
        () => 'ended',
        () => 'ended',
      );
      try {
        await reload(text.replace('principal: login, principal_prefix: s-', 'principal: login, principal_prefix: t-'));
        expect(await over).toBe('ended');
        expect(await status()).toBe(401);
        expect(await page.evaluate(async () => (await fetch('/v1/whoami')).status)).toBe(200);
      } finally {
        await reload(text);
      }
      // It does not come back with them.
      expect(await status()).toBe(401);
      await page.context().close();
    });
  });

  test('sluice login goes by the console where the provider gives programs no tokens, and logout ends it', async () => {
    const home = temporaryFolder('home');
    const { SLUICE_TOKEN: _, ...rest } = process.env;
    const sluice = (...words: string[]): { readonly said: () => string; readonly done: Promise<string> } => {
      const child = spawn(process.execPath, [MAIN, '--url', it.stand.gateway.url, ...words], {
        env: { ...rest, XDG_CONFIG_HOME: home.path, NO_COLOR: '1' },
      });
      let all = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (all += chunk.toString()));
      return { said: () => all, done: new Promise((resolve) => child.once('close', () => resolve(all))) };
    };
    try {
      const { said, done } = sluice('login', '--issuer', 'okta', '--no-browser');
      await expect.poll(said, { timeout: 40_000 }).toMatch(/http:\S+\n/);
      const address = /http:\S+/.exec(said())?.[0] ?? '';
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(address);
      await page.getByRole('link', { name: 'Log in with okta' }).click();
      await page.getByRole('button', { name: 'Ana' }).click();
      await page.getByText(/A program on this computer, at 127\.0\.0\.1:\d+, wants to be let in as s-ana/).waitFor();
      await accessible(page);
      await picture(page, 'let-in');
      // Nothing is let in by the address alone.
      expect(said()).not.toContain('Logged in');
      await page.getByRole('button', { name: 'Let it in as s-ana' }).click();
      await page.getByText('The rest is in your terminal').waitFor();
      expect(await done).toContain('Logged in as s-ana; roles user; groups s-engineers; known by okta');
      expect(await sluice('logout').done).toContain('Sessions that you opened with this login have ended.');
      const [token] = it.stand.gateway.identity.tokens().filter(({ principal }) => principal === 's-ana');
      expect(token?.revoked).toBeDefined();
      await context.close();
    } finally {
      home.remove();
    }
  });

  test('the token of the first set-up makes an administrator, once, and not by the console', async () => {
    const home = temporaryFolder('home');
    const { setupToken, url } = it.stand.gateway;
    const setUp = (token: string): Promise<string> => {
      const child = spawn(process.execPath, [MAIN, '--url', url, 'login', '--setup'], {
        env: { ...process.env, XDG_CONFIG_HOME: home.path, NO_COLOR: '1' },
      });
      child.stdin.end(`${token}\n`);
      let all = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (all += chunk.toString()));
      return new Promise((resolve) => child.once('close', () => resolve(all)));
    };
    try {
      const before = setupToken.issue();
      const token = setupToken.issue();
      const body = JSON.stringify({ token });
      expect((await ask('/v1/setup', { method: 'POST', headers: own(await login('ana')), body })).status).toBe(404);
      expect(await setUp(before)).toContain('This token is good for nothing');
      expect(await setUp(token)).toContain('Logged in as operator; roles approver, auditor, admin');
      expect(await setUp(token)).toContain('This token is good for nothing');
      // For an hour, and for nothing that is longer.
      const post = async (
        path: string,
        sent: object,
        shown = '',
      ): Promise<{ status: number; said: { token?: string } }> => {
        const headers = { 'content-type': 'application/json', ...(shown && { authorization: `Bearer ${shown}` }) };
        const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(sent) });
        return { status: answer.status, said: (await answer.json()) as { token?: string } };
      };
      const admin = (await post('/v1/setup', { token: setupToken.issue() })).said.token ?? '';
      expect((await post('/v1/tokens', { expires: '50m' }, admin)).status).toBe(200);
      expect((await post('/v1/tokens', { expires: '2h' }, admin)).status).toBe(403);
      // Whoever guesses for long has it be good for nothing.
      const guessed = setupToken.issue();
      for (let tries = 0; tries < 100; tries++) setupToken.take('setup_0');
      expect(setupToken.take(guessed)).toBe(false);
      const late = setupToken.issue();
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 });
      expect(setupToken.take(late)).toBe(false);
    } finally {
      vi.useRealTimers();
      home.remove();
    }
  });

  test('a code lets in the program that asked, once; and leads to no other computer', async () => {
    const cookie = await login('ana');
    const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
    const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
    const state = 'a'.repeat(32);
    const allow = (body: object, headers = own(cookie)): Promise<Response> =>
      ask('/auth/terminal', { method: 'POST', headers, body: JSON.stringify(body) });
    const code = async (): Promise<string> => {
      const { to } = (await (await allow({ at: '127.0.0.1:4000', state, challenge })).json()) as { to: string };
      expect(to.startsWith('http://127.0.0.1:4000/callback?')).toBe(true);
      return new URL(to).searchParams.get('code') ?? '';
    };
    for (const at of [
      'evil.example:80',
      '127.0.0.1.evil.example:80',
      '127.0.0.1:80@evil.example',
      '127.0.0.1',
      'localhost:0',
      'localhost:65536',
    ])
      expect([at, (await allow({ at, state, challenge })).status]).toEqual([at, 400]);
    expect((await allow({ at: '127.0.0.1:1', state, challenge }, own(''))).status).toBe(401);
    // Whoever is frozen lets nothing in, and has no other key from then on.
    const { admissions } = it.stand.gateway;
    await admissions.freeze('user:s-ana', 'ada', 'looks odd');
    expect((await allow({ at: '127.0.0.1:1', state, challenge })).status).toBe(403);
    const key = JSON.stringify({ to: 'add', name: 'phone' });
    const added = await ask('/auth/keys/question', { method: 'POST', headers: own(cookie), body: key });
    expect(await added.text()).toContain('user:s-ana is frozen: looks odd');
    await admissions.thaw('user:s-ana', { actor: 'ada' }, 'it was a test');
    expect(
      (await allow({ at: '127.0.0.1:1', state, challenge }, { ...own(cookie), origin: 'http://evil.example' })).status,
    ).toBe(403);
    const exchange = (body: object): Promise<Response> =>
      fetch(`${it.stand.gateway.url}/v1/logins/exchange`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const good = await code();
    const { token } = (await (await exchange({ code: good, verifier })).json()) as { token: string };
    expect(it.stand.gateway.identity.bearer(token)?.principal).toMatchObject({ name: 's-ana', roles: ['user'] });
    expect((await exchange({ code: good, verifier })).status).toBe(404);
    const tried = await code();
    expect((await exchange({ code: tried, verifier: 'x'.repeat(43) })).status).toBe(404);
    expect((await exchange({ code: tried, verifier })).status).toBe(404);
  });

  test.skipIf(findTool('ssh') === undefined)(
    'a login by SSH is confirmed by who is logged in here, who sees whose it is before',
    async () => {
      const { path, remove } = temporaryFolder('ssh');
      const askpass = join(path, 'askpass');
      writeFileSync(askpass, '#!/bin/sh\nprintf "%s" "$1" >&2\necho\n', { mode: 0o755 });
      const port = it.stand.gateway.addresses.get('ssh')?.split(':').at(-1) ?? '';
      const options = [
        'StrictHostKeyChecking=no',
        `UserKnownHostsFile=${join(path, 'hosts')}`,
        'PreferredAuthentications=keyboard-interactive',
        'LogLevel=ERROR',
      ];
      const words = [...options.flatMap((one) => ['-o', one]), '-F', 'none', '-p', port, 'root+vm@127.0.0.1', 'true'];
      const child = spawn('ssh', words, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
        detached: true,
      });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const gone = new Promise((resolve) => child.once('close', resolve));
      try {
        await expect.poll(() => said, { timeout: 40_000 }).toMatch(/login confirm [0-9A-Z-]{9}/);
        const [address = '', code = ''] = /http:\S+\/login\/([0-9A-Z-]{9})/.exec(said) ?? [];
        expect(address).toBe(`${it.origin}/login/${code}`);
        // The page of before leads here.
        const old = await fetch(`${it.stand.gateway.url}/login/${code}`, { redirect: 'manual' });
        expect(old.headers.get('location')).toBe(address);
        expect((await ask(`/v1/logins/waiting/${code}`)).status).toBe(401);
        const { page } = await loggedIn(browser, it.origin, 'ben', `/login/${code}`);
        const facts = page.locator('dl');
        for (const text of ['127.0.0.1', 'SSH-2.0-OpenSSH', 'vm', 'root'])
          await facts.getByText(text).first().waitFor();
        await accessible(page);
        await picture(page, 'login');
        expect(it.stand.gateway.pendingLogins.look(code, { principal: { name: 'test' } } as never)).toMatchObject({
          address: '127.0.0.1',
          account: 'root',
        });
        await page.getByRole('button', { name: 'That is me' }).click();
        await page.getByText('It goes on as ben').waitFor();
        // There is no machine behind it: that it was asked for is how far it goes.
        await gone;
        await expect.poll(() => [...it.stand.gateway.sessions.values()].length).toBe(0);
        await page.reload();
        await page.getByText('No login waits with this code.').waitFor();
        await page.context().close();
      } finally {
        child.kill();
        remove();
      }
    },
  );

  describe('security keys', () => {
    let ben: Page;
    let client: Awaited<ReturnType<ConsoleStand['stand']['client']>>;

    const numberOf = async (text: string): Promise<number> => {
      const waits = (): number | undefined =>
        it.stand.gateway.approvals.waiting().find((one) => one.text.includes(text))?.number;
      await expect.poll(waits).toBeDefined();
      return waits() as number;
    };

    beforeAll(async () => {
      const ana = await loggedIn(browser, it.origin, 'ana');
      client = await it.stand.client({ user: 'ana', password: await it.tokenOf(ana.page) });
      await ana.page.context().close();
      for (const table of ['vault', 'safe']) await client.query(`create table ${table} (id int)`);
      ben = (await loggedIn(browser, it.origin, 'ben', '/keys')).page;
      await plugIn(ben);
    });
    afterAll(async () => {
      await client?.end();
      await ben?.context().close();
    });

    test('one is registered by who has just logged in at their issuer, and others are told', async () => {
      await ben.getByText('You have no security key').waitFor();
      // A login of a while ago is not enough.
      const early = await post(ben, '/auth/keys/question', { to: 'add', name: 'laptop' });
      expect(early).toMatchObject({ status: 403, said: { message: expect.stringContaining('a login of just now') } });
      await ben.getByRole('link', { name: 'Log in again' }).click();
      // The issuer asks again, although it knows who is there.
      await ben.getByRole('button', { name: 'Ben' }).click();
      await ben.getByRole('textbox', { name: 'Name of the new key' }).fill('laptop');
      await ben.getByRole('button', { name: 'Register a key' }).click();
      await ben.getByRole('row', { name: /laptop/ }).waitFor();
      await accessible(ben);
      await picture(ben, 'keys');
      const [key] = it.stand.gateway.securityKeys.all();
      expect(key).toMatchObject({ name: 'laptop', owner: { name: 'ben', issuer: 'corp', subject: 'ben' } });
      // Another one takes the one that is there: what comes without is refused.
      const { said } = await post(ben, '/auth/keys/question', { to: 'add', name: 'phone' });
      expect(Object.keys(said)).toEqual(['make', 'show']);
      expect(await post(ben, '/auth/keys', { name: 'phone', made: { id: 'AAAA' } })).toMatchObject({ status: 403 });
      expect(it.stand.gateway.securityKeys.all()).toHaveLength(1);
    });

    test(
      'a request that takes one is decided with it in the console, and in no other way',
      SEVERAL_COMMANDS,
      async () => {
        const waiting = client.query('delete from vault where id = 1');
        const number = await numberOf('delete from vault where id = 1');
        for (const says of ['approve', 'deny'])
          expect(await post(ben, `/v1/approvals/${number}/${says}`, { reason: 'x' })).toMatchObject({
            status: 403,
            said: { message: expect.stringContaining('is decided with a security key') },
          });
        // Nor by a token of ben's own at the control API, as the command line and chats have one.
        const token = await it.tokenOf(ben);
        const byToken = await fetch(`${it.stand.gateway.url}/v1/approvals/${number}/approve`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: '{}',
        });
        expect(byToken.status).toBe(403);
        const byCommand = async (shown: string, ...words: string[]): Promise<string> => {
          const child = spawn(process.execPath, [MAIN, '--url', it.stand.gateway.url, 'approvals', ...words], {
            env: { ...process.env, SLUICE_TOKEN: shown, NO_COLOR: '1' },
          });
          let all = '';
          for (const stream of [child.stdout, child.stderr])
            stream.on('data', (chunk: Buffer) => (all += chunk.toString()));
          return new Promise((resolve) => child.once('close', () => resolve(all)));
        };
        // The operator's own, and what a chat has: a token that somebody else made, for a person or a program.
        const admin = readFileSync(join(it.stand.gateway.config.data, 'admin.token'), 'utf8').trim();
        const { token: ofChat } = await it.stand.gateway.identity.createToken({ principal: 'robot', name: 'chat' });
        const said = await Promise.all([
          byCommand(token, 'approve', String(number), '--yes'),
          byCommand(token, 'deny', String(number), '--reason', 'x'),
          byCommand(admin, 'approve', String(number), '--yes'),
          byCommand(ofChat, 'approve', String(number), '--yes'),
        ]);
        for (const one of said.slice(0, 2)) expect(one).toContain('is decided with a security key, in the console');
        for (const one of said.slice(2))
          expect(one).toMatch(/not among the approvers|may not do this|There is no request|Only a login of your own/);
        expect(it.stand.gateway.approvals.waiting().map((one) => one.number)).toContain(number);
        await ben.goto(`${it.origin}/approvals/${number}`);
        await ben.getByText('with a security key').first().waitFor();
        await ben.getByRole('button', { name: 'Approve' }).click();
        await ben.getByRole('dialog').getByRole('textbox').fill(' row 1 is a test ');
        await ben.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
        await waiting;
        await ben.getByText('approved by ben. It was used.').waitFor();
        const [word] = (await it.stand.gateway.approvals.find(number))?.words ?? [];
        expect(word).toMatchObject({
          by: 'ben',
          reason: 'row 1 is a test',
          key: it.stand.gateway.securityKeys.all()[0]?.id,
        });
      },
    );

    test('what a key signs is for one request, decision and reason, of one person, once', async () => {
      const texts = ['delete from vault where id = 2', 'delete from vault where id = 3'];
      const others = await Promise.all(
        texts.map(() => it.stand.client({ user: 'ana', password: client.password as string })),
      );
      const waiting = others.map((one, at) =>
        one.query(texts[at] ?? '').then(
          () => 'passed',
          (error: Error) => error.message,
        ),
      );
      const [first = 0, second = 0] = await Promise.all(texts.map(numberOf));
      const question = async (decision: string, reason: string, number = first): Promise<object> =>
        (await post(ben, `/v1/approvals/${number}/question`, { decision, reason })).said;
      const assertion = await sign(ben, await question('deny', 'not today'));
      const refused = async (path: string, body: object): Promise<void> =>
        expect([path, body, (await post(ben, path, body)).status]).toEqual([path, body, 403]);
      await refused(`/v1/approvals/${first}/approve`, { reason: 'not today', assertion });
      // A wrong try uses up nothing of others; each has a question of its own.
      const again = async (): Promise<object> => sign(ben, await question('deny', 'not today'));
      await refused(`/v1/approvals/${second}/deny`, { reason: 'not today', assertion: await again() });
      await refused(`/v1/approvals/${first}/deny`, { reason: 'never', assertion: await again() });
      await refused(`/v1/approvals/${first}/deny`, {
        reason: 'not today',
        assertion: { ...(await again()), id: 'AAAA' },
      });
      const cleo = (await loggedIn(browser, it.origin, 'cleo')).page;
      expect(
        (await post(cleo, `/v1/approvals/${first}/deny`, { reason: 'not today', assertion: await again() })).status,
      ).toBe(403);
      expect(
        (await post(cleo, `/v1/approvals/${first}/question`, { decision: 'deny', reason: 'x' })).said,
      ).toMatchObject({
        message: expect.stringContaining('You have no security key'),
      });
      await cleo.context().close();
      const good = await again();
      expect((await post(ben, `/v1/approvals/${first}/deny`, { reason: 'not today', assertion: good })).status).toBe(
        200,
      );
      expect(await waiting[0]).toContain('denied by ben: not today');
      // Shown a second time, where it would say the same.
      await refused(`/v1/approvals/${second}/deny`, { reason: 'not today', assertion: good });
      const last = await sign(ben, await question('approve', '', second));
      expect((await post(ben, `/v1/approvals/${second}/approve`, { assertion: last })).status).toBe(200);
      expect(await waiting[1]).toBe('passed');
      for (const one of others) await one.end();
    });

    test('an approval ends with the key that gave it; whoever lost theirs has it removed at the machine', async () => {
      const attempt = (): Promise<string> =>
        client.query('delete from safe where id = 1').then(
          () => 'passed',
          (error: Error) => error.message,
        );
      expect(await attempt()).toContain('request');
      const number = await numberOf('delete from safe');
      const { said } = await post(ben, `/v1/approvals/${number}/question`, { decision: 'approve', reason: '' });
      expect((await post(ben, `/v1/approvals/${number}/approve`, { assertion: await sign(ben, said) })).status).toBe(
        200,
      );
      const [key] = it.stand.gateway.securityKeys.all();
      const path = `/v1/security-keys/${key?.id}`;
      // Not in the console, whatever the role.
      const olga = (await loggedIn(browser, it.origin, 'olga')).page;
      expect(
        await olga.evaluate(
          async (at) => (await fetch(at, { method: 'DELETE', headers: { 'x-sluice-console': 'active' } })).status,
          path,
        ),
      ).toBe(404);
      await olga.context().close();
      const admin = readFileSync(join(it.stand.gateway.config.data, 'admin.token'), 'utf8').trim();
      const removed = await fetch(it.stand.gateway.url + path, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${admin}` },
      });
      expect(await removed.json()).toMatchObject({ name: 'laptop', owner: 'ben' });
      expect(await attempt()).not.toBe('passed');
      expect((await it.stand.gateway.approvals.find(number))?.state).toBe('withdrawn');
    });
  });
});
