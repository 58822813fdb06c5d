/** What a stranger, a page of somebody else's and somebody without a role try at the console's listener. No browser: what browsers send is written. */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type TLSSocket, connect, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Browser, missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Config } from '@sluice/config';
import { readConfiguration } from '../src/configuration.js';
import { type ConsoleStand, type Person, openConsoleStand } from './console-stand.js';

/** Somebody who is logged in, by the header with their cookie. */
interface Visitor {
  readonly cookie: string;
  /** Lines of `set-cookie` that the login ended with. */
  readonly lines: readonly string[];
}

const readConfigurationText = (file: string, text: string): Config => {
  writeFileSync(file, text);
  return readConfiguration(file).config;
};

describe.skipIf(missingPostgres(18))('the listener of the console, with TLS', () => {
  let it: ConsoleStand;
  let ben: Visitor;

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${it.origin}${path}`, { redirect: 'manual', ...init });

  /** As the pages of the console send it. */
  const own = (visitor: Visitor, more: Record<string, string> = {}): Record<string, string> => ({
    cookie: visitor.cookie,
    origin: it.origin,
    'x-sluice-console': 'active',
    'content-type': 'application/json',
    ...more,
  });

  /** The first step of a login: the cookie, and where the browser is sent. */
  const begin = async (to = '/'): Promise<{ readonly cookie: string; readonly at: string; readonly line: string }> => {
    const answer = await ask(`/auth/login?issuer=corp&to=${encodeURIComponent(to)}`);
    const [line = ''] = answer.headers.getSetCookie();
    return { line, cookie: line.split(';')[0] ?? '', at: answer.headers.get('location') ?? '' };
  };

  /** Where the issuer sends the browser of somebody who has logged in there. */
  const backFrom = async (at: string, account: Person): Promise<string> => {
    const browser = new Browser();
    await browser.open(at);
    // The last step goes to us without our cookie, which is refused there: what is in the address is what counts.
    const seen: string[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = (async (input: URL | string, init?: RequestInit) => {
      const url = new URL(String(input));
      if (url.origin !== it.origin) return real(input, init);
      seen.push(url.pathname + url.search);
      return new Response('there');
    }) as typeof fetch;
    try {
      await browser.submit({ account });
    } finally {
      globalThis.fetch = real;
    }
    return seen[0] ?? '';
  };

  const login = async (account: Person, to = '/'): Promise<Visitor & { readonly location: string }> => {
    const { cookie, at } = await begin(to);
    const answer = await ask(await backFrom(at, account), { headers: { cookie } });
    const lines = answer.headers.getSetCookie();
    const session = lines.find((line) => line.startsWith('__Host-sluice-session='))?.split(';')[0] ?? '';
    return { cookie: session, lines, location: answer.headers.get('location') ?? '' };
  };

  beforeAll(async () => {
    it = await openConsoleStand({ tls: 'self-signed' });
    const certificate = readFileSync(join(it.stand.gateway.config.data, 'gateway.crt'), 'utf8');
    setDefaultCACertificates([...getCACertificates('default'), certificate]);
    ben = await login('ben');
  });
  afterAll(() => it.stop());

  test('a login sets cookies that no script, no other site and no network gets', async () => {
    const { line } = await begin();
    expect(line).toMatch(/^__Host-sluice-login=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600; Secure$/);
    const session = ben.lines.find((one) => one.startsWith('__Host-sluice-session='));
    expect(session).toMatch(/=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800; Secure$/);
    expect(ben.lines.find((one) => one.startsWith('__Host-sluice-login='))).toContain('Max-Age=0');
    const who = (await (await ask('/v1/whoami', { headers: own(ben) })).json()) as { name: string; roles: string[] };
    expect(who).toMatchObject({ name: 'ben', roles: ['user', 'approver'] });
  });

  test('the secret of a cookie is not in the store', async () => {
    const secret = ben.cookie.split('=')[1] ?? '';
    const files = ['control.db', 'control.db-wal'].map((name) => join(it.stand.gateway.config.data, name));
    const kept = Buffer.concat(files.map((file) => readFileSync(file))).toString('latin1');
    expect(secret).toHaveLength(43);
    expect(kept).toContain('"ben"');
    expect(kept).not.toContain(secret);
  });

  test('nobody is anybody without a cookie: neither by a token nor by an address', async () => {
    const { token } = await it.stand.gateway.identity.createToken({ principal: 'dev', name: 'a right one' });
    for (const headers of [
      {},
      { authorization: `Bearer ${token}` },
      { 'x-forwarded-for': '127.0.0.1' },
      { cookie: '__Host-sluice-session=x' },
    ] as Record<string, string>[])
      expect((await ask('/v1/whoami', { headers })).status).toBe(401);
    // The same cookie twice: somebody else may have put one of them there.
    expect((await ask('/v1/whoami', { headers: { cookie: `${ben.cookie}; ${ben.cookie}` } })).status).toBe(401);
  });

  test('what only the machine may use does not exist, whatever the role', async () => {
    const olga = await login('olga');
    const paths = [
      '/metrics',
      '/v1/reload',
      '/v1/issuers',
      '/healthz',
      '/readyz',
      '/v1/openapi.json',
      '/v1/logins',
      '/docs/',
      '/login/ABCD-EFGH',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const { 'content-type': _, ...bare } = own(olga);
        const answer = await ask(path, {
          method,
          ...(method === 'POST' ? { headers: own(olga), body: '{}' } : { headers: bare }),
        });
        const isPage = method === 'GET' && answer.headers.get('content-type')?.startsWith('text/html');
        // An address that is nobody's has the document of all pages, which says so.
        expect([path, method, isPage || answer.status === 404]).toEqual([path, method, true]);
        expect(await answer.text()).not.toMatch(/client_secret|clientSecret|sluice_commands|"openapi"/);
      }
    }
    expect((await ask('/v1/status', { headers: own(olga) })).status).toBe(200);
    expect((await ask('/v1/status', { headers: own(ben) })).status).toBe(403);
  });

  test('a change wants our own origin and a header that forms cannot send', async () => {
    const tries: readonly Record<string, string>[] = [
      { cookie: ben.cookie, 'content-type': 'text/plain' },
      { cookie: ben.cookie, origin: 'https://evil.example', 'x-sluice-console': 'active' },
      { cookie: ben.cookie, origin: 'null', 'x-sluice-console': 'active' },
      { cookie: ben.cookie, origin: it.origin },
      { cookie: ben.cookie, 'x-sluice-console': 'active' },
      { cookie: ben.cookie, origin: it.origin.replace('https', 'http'), 'x-sluice-console': 'active' },
    ];
    for (const path of ['/v1/tokens', '/v1/approvals/1/approve', '/auth/logout'])
      for (const headers of tries)
        expect([path, headers, (await ask(path, { method: 'POST', headers, body: '{}' })).status]).toEqual([
          path,
          headers,
          403,
        ]);
    expect((await ask('/v1/tokens', { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })).status).toBe(
      403,
    );
    const made = await ask('/v1/tokens', { method: 'POST', headers: own(ben), body: '{}' });
    expect(made.status).toBe(200);
    expect(made.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('a page of another site reads nothing, also where cookies are sent along', async () => {
    for (const site of ['cross-site', 'same-site'])
      expect((await ask('/v1/whoami', { headers: own(ben, { 'sec-fetch-site': site }) })).status).toBe(403);
    // However its address is written.
    expect((await ask('/%761/whoami', { headers: own(ben, { 'sec-fetch-site': 'cross-site' }) })).status).not.toBe(200);
    expect((await ask('/v1/whoami', { headers: own(ben, { 'sec-fetch-site': 'same-origin' }) })).status).toBe(200);
  });

  test('a name that is not ours gets nothing (DNS rebinding)', async () => {
    const { hostname, port } = new URL(it.origin);
    const answers = await Promise.all(
      ['evil.example', `localhost:${port}`, '127.0.0.1', `127.0.0.1.:${port}`].map(
        (host) =>
          new Promise<number>((resolve, reject) => {
            const headers = { host, cookie: ben.cookie };
            request({ hostname, port, path: '/v1/whoami', headers, rejectUnauthorized: false }, (answer) => {
              answer.resume();
              resolve(answer.statusCode ?? 0);
            })
              .on('error', reject)
              .end();
          }),
      ),
    );
    expect(answers).toEqual([421, 421, 421, 421]);
  });

  test('no page is framed, sniffed or let run what is not ours', async () => {
    const page = await ask('/approvals/7');
    const policy = page.headers.get('content-security-policy') ?? '';
    const [, nonce] = /'nonce-([^']+)'/.exec(policy) ?? [];
    expect(policy).toBe(
      `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(await page.text()).toContain(`content="${nonce}"`);
    expect((await ask('/')).headers.get('content-security-policy')).not.toContain(nonce);
    for (const path of ['/', '/v1/whoami', '/auth/issuers', '/v1/nothing', '/nothing.js', '/%zz']) {
      const { headers } = await ask(path, { headers: own(ben) });
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    }
  });

  test('HEAD is answered as GET is, without the page', async () => {
    for (const path of ['/', '/approvals/7', '/nothing.js']) {
      const [head, get] = [await ask(path, { method: 'HEAD' }), await ask(path)];
      expect([path, head.status, head.headers.get('content-type')]).toEqual([
        path,
        get.status,
        get.headers.get('content-type'),
      ]);
      expect(await head.text()).toBe('');
    }
  });

  test('no path leads out of the built pages', async () => {
    for (const path of [
      '/assets/../../package.json',
      '/assets/%2e%2e/%2e%2e/package.json',
      '/..%2f..%2fpackage.json',
      '/index.html',
      '/package.json',
    ]) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });

  test('nobody is sent anywhere else after a login', async () => {
    for (const to of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      'javascript:alert(1)',
      '/auth/callback',
      '/approvals#x',
      '/ok\r\nset-cookie: a=b',
      `/${'a'.repeat(600)}`,
    ])
      expect([to, (await login('ben', to)).location]).toEqual([to, '/']);
    expect((await login('ben', '/approvals/7')).location).toBe('/approvals/7');
  });

  test('a login that was begun elsewhere logs in nobody (login CSRF)', async () => {
    const { at, cookie } = await begin();
    const theirs = await backFrom(at, 'ben');
    const other = await begin();
    // Of the last character some bits mean nothing (RFC 4648 section 3.5): of the first one all do.
    const forged = cookie.replace(/=./, (first) => (first === '=A' ? '=B' : '=A'));
    for (const headers of [
      {},
      { cookie: other.cookie },
      { cookie: forged },
      { cookie: '__Host-sluice-login=' },
      { cookie: `${cookie}; ${other.cookie}` },
    ] as Record<string, string>[]) {
      const answer = await ask(theirs, { headers });
      expect(answer.headers.get('location')).toMatch(/^\/\?failed=[\w-]+$/);
      expect(answer.headers.getSetCookie().filter((line) => line.startsWith('__Host-sluice-session='))).toEqual([]);
    }
    // A code is good once.
    const first = await ask(theirs, { headers: { cookie } });
    const again = await ask(theirs, { headers: { cookie } });
    expect([first, again].map(({ headers }) => headers.get('location'))).toEqual([
      '/',
      expect.stringMatching(/^\/\?failed=/),
    ]);
    // A page of another site begins none.
    const begun = await ask('/auth/login?issuer=corp', { headers: { 'sec-fetch-site': 'cross-site' } });
    expect([begun.headers.get('location'), begun.headers.getSetCookie()]).toEqual(['/', []]);
  });

  test('what the issuer says of a failed login is told as it is, and nobody else has our page say anything', async () => {
    const { cookie, at } = await begin();
    const state = new URL(at).searchParams.get('state') ?? '';
    const iss = it.issuer.url;
    const query = new URLSearchParams({ error: 'access_denied', error_description: '<b>no</b>', state, iss });
    const answer = await ask(`/auth/callback?${query}`, { headers: { cookie } });
    const location = answer.headers.get('location') ?? '';
    const failed = new URL(location, it.origin).searchParams.get('failed') ?? '';
    const lines = answer.headers.getSetCookie().filter((line) => line.startsWith('__Host-sluice-failure='));
    const [own = ''] = lines.map((line) => line.split(';')[0] ?? '');
    const told = await ask(`/auth/failure?failed=${failed}`, { headers: { cookie: own } });
    expect(await told.json()).toEqual({ why: 'corp did not log you in: <b>no</b>' });
    // Who sends somebody the address of their own failure has our page say nothing.
    for (const theirs of ['', '__Host-sluice-failure=', `${own}A`]) {
      const tried = await ask(`/auth/failure?failed=${failed}`, { headers: { cookie: theirs } });
      expect([theirs, tried.status]).toEqual([theirs, 404]);
    }
    expect((await ask('/auth/failure?failed=Call+us+at+once', { headers: { cookie: own } })).status).toBe(404);
  });

  test('who logs out is out at once, streams too, also for a copy of the cookie', async () => {
    const visitor = await login('ben');
    const events = await ask('/v1/events', { headers: own(visitor) });
    const reading = events.text().catch(() => 'cut off');
    expect(events.headers.get('x-content-type-options')).toBe('nosniff');
    const out = await ask('/auth/logout', { method: 'POST', headers: own(visitor), body: '{}' });
    expect(((await out.json()) as { at: string }).at).toMatch(new RegExp(`^${it.issuer.url}/session/end\\?`));
    expect(out.headers.getSetCookie()[0]).toContain('__Host-sluice-session=; ');
    expect((await ask('/v1/whoami', { headers: own(visitor) })).status).toBe(401);
    await reading;
    expect((await ask('/v1/whoami', { headers: own(ben) })).status).toBe(200);
  });

  test('nothing is begun that is sent before the answer in front of it was taken', async () => {
    const visitor = await login('ben');
    const { host, port } = new URL(it.origin);
    const made = (): number => it.stand.gateway.identity.tokens().length;
    const head = (line: string): string =>
      `${line} HTTP/1.1\r\nhost: ${host}\r\ncookie: ${visitor.cookie}\r\norigin: ${it.origin}\r\nx-sluice-console: active\r\n`;
    const token = `${head('POST /v1/tokens')}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    const sent = (text: string): { readonly socket: TLSSocket; readonly said: () => string } => {
      let all = '';
      const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
      socket.on('data', (bytes) => (all += bytes.toString('latin1'))).write(text);
      return { socket, said: () => all };
    };
    const before = made();
    const endless = sent(`${head('GET /v1/events')}\r\n${token.repeat(5)}`);
    await expect.poll(endless.said).toContain('retry: ');
    // Another connection of theirs is not held up.
    const others = sent(token.repeat(3));
    await expect.poll(() => others.said().match(/HTTP\/1\.1 200/g)?.length).toBe(3);
    expect(made()).toBe(before + 3);
    for (const { socket } of [endless, others]) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(made()).toBe(before + 3);
  });

  test('whoever asks for requests all the time keeps nobody else waiting, nor hides what waits', async () => {
    const [nemo, { approvals }] = [await login('nemo'), it.stand.gateway];
    const asked = (by: string, at: number) => ({
      principal: by,
      connection: 'db',
      session: 'none',
      command: 1,
      text: `-- ${'é'.repeat(2_000)}`,
      parameters: ['é'.repeat(2_000)],
      requirements: [{ rule: 'deletes', approvers: ['group:dba'], count: 1 }],
      digest: `${by} ${at}`,
      onTimeout: 'deny' as const,
      timeoutMs: 600_000,
      waits: true,
      transaction: false,
    });
    const first = await approvals.ask(asked('ana', 0));
    for (let at = 0; at < 1_050; at++) {
      approvals.withdraw((await approvals.ask(asked('mal', at))).number, 'gone');
      // A connection that rests for longer than the listener keeps it is closed, perhaps under the next request.
      if (at % 100 === 0) await ask('/v1/whoami', { headers: own(ben) });
    }
    const rows = await (await ask('/v1/approvals?state=pending', { headers: own(ben) })).json();
    expect((rows as { number: number }[]).map(({ number }) => number)).toContain(first.number);
    expect(
      await (await ask(`/v1/approvals?state=pending&before=${first.number}`, { headers: own(ben) })).json(),
    ).toEqual([]);

    const flood = new AbortController();
    const list = (): Promise<unknown> =>
      ask('/v1/approvals', { headers: own(nemo), signal: flood.signal }).then(
        (answer) => answer.text(),
        () => undefined,
      );
    const asking = Array.from({ length: 60 }, list);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const waits: number[] = [];
    for (let at = 0; at < 5; at++) {
      const began = performance.now();
      await ask('/v1/whoami', { headers: own(ben) });
      waits.push(performance.now() - began);
    }
    flood.abort();
    await Promise.all(asking);
    approvals.withdraw(first.number, 'gone');
    expect(Math.max(...waits)).toBeLessThan(1_000);
  }, 60_000);

  test('whoever lost a role is told no more of what others do', async () => {
    const olga = await login('olga');
    const file = join(it.stand.folder, 'sluice.yaml');
    const text = readFileSync(file, 'utf8');
    const events = await ask('/v1/events', { headers: own(olga) });
    let said = '';
    const reading = (async () => {
      const letters = new TextDecoder();
      for await (const chunk of events.body ?? []) said += letters.decode(chunk, { stream: true });
    })().catch(() => undefined);
    const told = (): number => said.match(/event: sessions/g)?.length ?? 0;
    const aSecond = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_200));
    const other = await it.stand.client();
    await expect.poll(told).toBeGreaterThan(0);
    await it.stand.gateway.reload(
      readConfigurationText(file, text.replace('admin: ["group:platform"]', 'admin: []')),
      'test',
    );
    await aSecond();
    await aSecond();
    const until = told();
    await other.query('SELECT 1');
    await aSecond();
    await aSecond();
    expect(told()).toBe(until);
    await it.stand.gateway.reload(readConfigurationText(file, text), 'test');
    await aSecond();
    await other.query('SELECT 1');
    await expect.poll(told).toBeGreaterThan(until);
    await other.end();
    await ask('/auth/logout', { method: 'POST', headers: own(olga), body: '{}' });
    await reading;
  });

  test('somebody without a role sees and does nothing but be somebody', async () => {
    const nemo = await login('nemo');
    const status = async (path: string, method = 'GET'): Promise<number> =>
      (await ask(path, { method, headers: own(nemo), ...(method === 'POST' && { body: '{"reason":"x"}' }) })).status;
    expect(await status('/v1/whoami')).toBe(200);
    expect(await (await ask('/v1/approvals', { headers: own(nemo) })).json()).toEqual([]);
    expect(await (await ask('/v1/connections', { headers: own(nemo) })).json()).toEqual([]);
    expect(await status('/v1/sessions')).toBe(403);
    expect(await status('/v1/agents')).toBe(403);
    expect(await status('/v1/approvals/1/approve', 'POST')).toBe(403);
    expect(await status('/v1/connections/db/clients')).toBe(404);
    expect(await status('/v1/sessions/x', 'DELETE')).toBe(403);
  });
});
