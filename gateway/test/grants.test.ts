/** Servers of MCP that want people: each person's own grant, at a real issuer, and what others try with it. */
/* oxlint-disable typescript/no-explicit-any -- answers of whatever shape */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { freePort, temporaryFolder } from '@sluice/testkit';
import { CONSOLE_CLIENT, type DevIssuer, GRANT_CLIENT, startIssuer } from '@sluice/testkit/issuer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loggedIn, missingChromium, openBrowser } from './console-stand.js';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { rpc } from './mcp-stand.js';

const PEOPLE = {
  ana: { name: 'Ana', groups: ['engineers'], is: 'asks' },
  ben: { name: 'Ben', groups: ['engineers'], is: 'asks as well' },
  olga: { name: 'Olga', groups: ['platform'], is: 'looks after the gateway' },
};
type Person = keyof typeof PEOPLE;

/** A browser, as far as logins need one: cookies by host and port, redirects, and the page on which one says who one is. */
class Browser {
  readonly #jar = new Map<string, Map<string, string>>();
  readonly #person: Person;
  readonly #origin: string;

  constructor(person: Person, origin: string) {
    this.#person = person;
    this.#origin = origin;
  }

  cookies(of: string): Map<string, string> {
    const { host } = new URL(of);
    const known = this.#jar.get(host) ?? new Map<string, string>();
    this.#jar.set(host, known);
    return known;
  }

  async fetch(
    url: string,
    init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const own = this.cookies(url);
    const cookie = [...own].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', ...init, headers: { cookie, ...init.headers } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '' || /max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) own.delete(name);
      else own.set(name, value);
    }
    return answer;
  }

  /** Goes on until a page of the console is there, which it does not open. Returns its address. */
  async go(from: string): Promise<URL> {
    let url = from;
    for (let step = 0; step < 20; step++) {
      let answer = await this.fetch(url);
      if (answer.status === 200 && new URL(url).pathname.startsWith('/choose/'))
        answer = await this.fetch(url, { method: 'POST', body: new URLSearchParams({ account: this.#person }) });
      const location = answer.headers.get('location');
      if (location === null) return new URL(url);
      url = new URL(location, url).href;
      if (url.startsWith(`${this.#origin}/grants/back`)) return new URL(url);
    }
    throw new Error('there is no end of it');
  }

  /** What a page of the console sends by itself. */
  async send(path: string, body: object, headers: Record<string, string> = {}): Promise<{ status: number; said: any }> {
    const answer = await this.fetch(`${this.#origin}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { origin: this.#origin, 'x-sluice-console': 'active', 'content-type': 'application/json', ...headers },
    });
    return { status: answer.status, said: await answer.json() };
  }

  async login(): Promise<this> {
    await this.go(`${this.#origin}/auth/login`);
    return this;
  }

  /** From the page of the console to the issuer and back. Returns with what the browser came back. */
  async grant(connection = 'svc'): Promise<string> {
    const { status, said } = await this.send('/auth/grants', { connection });
    if (status !== 200) throw new Error(said.message);
    return (await this.go(said.url)).search;
  }
}

let issuer: DevIssuer;
let people: Server;
let stand: HttpStand;
let origin: string;
const { path: folder, remove } = temporaryFolder('grants');
let port: number;
/** What the server was shown. */
const shown: (string | undefined)[] = [];
/** Whom its document names. */
let named: string | undefined;
let refuses = false;

const serve = async (request: any, response: any, body: Buffer): Promise<void> => {
  if (request.url.startsWith('/.well-known/oauth-protected-resource')) {
    response.setHeader('Content-Type', 'application/json');
    const resource = `http://${request.headers.host}/mcp`;
    return response.end(JSON.stringify({ resource, authorization_servers: [named] }));
  }
  const token = request.headers.authorization?.replace(/^Bearer /, '');
  shown.push(token);
  const whose = token && !refuses && (await issuer.whose(token));
  if (!whose) return response.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end('{}');
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  const server = new McpServer({ name: 'people', version: '1.0.0' });
  server.registerTool('who', { inputSchema: {}, annotations: { readOnlyHint: true } }, () => ({
    content: [{ type: 'text', text: `${whose.account} at ${whose.resource}, by ${token}` }],
  }));
  await server.connect(transport as Transport);
  await transport.handleRequest(request, response, body.length === 0 ? undefined : JSON.parse(body.toString()));
};

const open = async (): Promise<void> => {
  stand = await openHttpStand({
    folder,
    listener: `{ address: 127.0.0.1, port: 0, tls: self-signed, require_tls: false }, console: { address: 127.0.0.1, port: ${port}, tls: off, external_url: "${origin}" }`,
    sections: `issuers: { corp: { issuer: "${issuer.url}", audience: [sluice, ${CONSOLE_CLIENT.id}], client_id: sluice, console: { client_id: ${CONSOLE_CLIENT.id}, client_secret: ${CONSOLE_CLIENT.secret} }, scopes: [openid, profile, groups], groups: groups } }
roles: { user: ["group:engineers"], admin: ["group:platform"] }`,
    target: `{ url: "http://127.0.0.1:${(people.address() as AddressInfo).port}/mcp" }`,
    credential: `{ grant: { client_id: ${GRANT_CLIENT}, scope: use } }`,
    connection: 'mcp: {}',
    rules: ` []\n`,
  });
};

beforeAll(async () => {
  port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  issuer = await startIssuer(0, { people: PEOPLE, console: origin, grants: `${origin}/grants/back` });
  named = issuer.url;
  people = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => void serve(request, response, Buffer.concat(parts)));
  });
  await new Promise<void>((resolve) => people.listen(0, '127.0.0.1', resolve));
  await open();
});
afterAll(async () => {
  await stand.stop();
  remove();
  people.closeAllConnections();
  people.close();
  await issuer.close();
});

/** A token of theirs for programs. */
const tokenOf = async (browser: Browser): Promise<string> =>
  (await browser.send('/v1/tokens', { name: 'test' })).said.token;
const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'who', arguments: {} } };
const who = async (token: string): Promise<any> => (await rpc(new URL(stand.url), token, call)).messages[0];
const given = async (browser: Browser): Promise<void> => {
  const { status, said } = await browser.send('/auth/grants/back', { query: await browser.grant() });
  expect([status, said]).toEqual([200, { connection: 'svc' }]);
};

test('whoever has given none is told where, gives it once, and is known by it; nobody else is', async () => {
  const ana = await new Browser('ana', origin).login();
  const [anas, bens] = [await tokenOf(ana), await tokenOf(await new Browser('ben', origin).login())];
  const refused = await who(anas);
  const page = `${origin}/grants/svc`;
  expect(refused.error).toMatchObject({ code: -31001, data: { reason: 'grant-needed', url: page } });
  expect(refused.error.message).toContain(`Give it at ${page}, and send the command again.`);
  expect(shown).toEqual([]);

  await given(ana);
  const text = (await who(anas)).result.content[0].text;
  // For this server alone; and what it was shown does not come back.
  expect(text).toMatch(/^ana at http:\/\/127\.0\.0\.1:\d+\/mcp, by \*+$/);
  expect((await who(bens)).error.data.reason).toBe('grant-needed');
  // No token of the gateway, of either of them, has reached the server.
  expect(shown.filter((one) => one === undefined || one === anas || one === bens)).toEqual([]);

  // In the store it is nothing that somebody could use.
  const token = shown.at(-1) as string;
  const db = new DatabaseSync(join(stand.folder, 'data', 'control.db'), { readOnly: true });
  const [row, ...others] = db.prepare('select * from grants').all() as unknown as {
    sealed: string;
    connection: string;
  }[];
  db.close();
  expect(others).toEqual([]);
  expect(row?.connection).toBe('svc');
  expect(Buffer.from(row?.sealed ?? '', 'base64').includes(token)).toBe(false);
  expect(readFileSync(join(stand.folder, 'data', 'control.db')).includes(token)).toBe(false);
});

test('clients of both eras are told so when they connect', async () => {
  const ben = await new Browser('ben', origin).login();
  const token = await tokenOf(ben);
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  const old = new Client({ name: 't', version: '1' });
  const connecting = old.connect(new StreamableHTTPClientTransport(new URL(stand.url), { requestInit }) as Transport);
  await expect(connecting).rejects.toThrow(`${origin}/grants/svc`);
  // What it asks is answered with the page, and comes again when somebody has been there.
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
  };
  const [asked] = (
    await rpc(new URL(stand.url), token, {
      jsonrpc: '2.0',
      id: 1,
      method: 'prompts/get',
      params: { name: 'x', _meta: meta },
    })
  ).messages;
  expect(asked).toMatchObject({
    result: {
      resultType: 'input_required',
      inputRequests: { sluice_approval: { params: { mode: 'url', url: `${origin}/grants/svc` } } },
    },
  });
  await given(ben);
  const modern = new ModernClient({ name: 't', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await modern.connect(new ModernTransport(new URL(stand.url), { requestInit }));
  expect(JSON.stringify(await modern.callTool({ name: 'who', arguments: {} }))).toContain('ben at ');
  await modern.close();
});

test('it is renewed when it ends, after a restart too, and taken back at the issuer as well', async () => {
  const ana = await new Browser('ana', origin).login();
  const token = await tokenOf(ana);
  await given(ana);
  expect((await who(token)).result).toBeDefined();
  const first = shown.at(-1);
  // The server does not take it any more: the next call has another one.
  issuer.endAccess();
  expect((await who(token)).error).toBeDefined();
  expect((await who(token)).result.content[0].text).toContain('ana at ');
  const second = shown.at(-1);
  expect(second).not.toBe(first);

  await stand.gateway.stop();
  await open();
  expect((await who(token)).result.content[0].text).toContain('ana at ');
  expect(shown.at(-1)).toBe(second);

  const mine = await ana.fetch(`${origin}/v1/grants`);
  expect(await mine.json()).toMatchObject([{ connection: 'svc', principal: 'ana' }]);
  const olga = await new Browser('olga', origin).login();
  const all = await (await olga.fetch(`${origin}/v1/grants`)).json();
  expect(all.map((one: any) => one.principal).sort()).toEqual(['ana', 'ben']);
  const take = (browser: Browser, query: string): Promise<Response> =>
    browser.fetch(`${origin}/v1/grants/svc${query}`, {
      method: 'DELETE',
      headers: { origin, 'x-sluice-console': 'active' },
    });
  expect((await take(ana, '?principal=ben')).status).toBe(403);
  expect((await take(ana, '')).status).toBe(200);
  expect((await take(ana, '')).status).toBe(404);
  expect((await who(token)).error.data.reason).toBe('grant-needed');
  await expect.poll(() => issuer.whose(second ?? '')).toBeUndefined();
  expect((await take(olga, '?principal=ben')).status).toBe(200);
});

test('nobody has another one’s grant, by whatever way', async () => {
  const [ana, ben] = [await new Browser('ana', origin).login(), await new Browser('ben', origin).login()];
  // Ana sends Ben the link that was made for her: he comes back to a browser that has not begun it.
  const begun = (await ana.send('/auth/grants', { connection: 'svc' })).said.url;
  const bens = (await ben.go(begun)).search;
  expect(bens).toContain('code=');
  expect((await ben.send('/auth/grants/back', { query: bens })).status).toBe(403);
  // She has him bring what he came back with: with her own browser it is another state, or none.
  await ana.send('/auth/grants', { connection: 'svc' });
  const stolen = await ana.send('/auth/grants/back', { query: bens });
  expect([stolen.status, stolen.said.message]).toEqual([403, expect.stringContaining('is no grant of yours')]);
  // Somebody else is logged in at the same browser by then.
  const query = await ana.grant();
  const cookie = [...ana.cookies(origin)].find(([name]) => name.includes('grant'));
  ben.cookies(origin).set(...(cookie as [string, string]));
  const taken = await ben.send('/auth/grants/back', { query });
  expect([taken.status, taken.said.message]).toEqual([
    403,
    expect.stringContaining('was not begun in this browser by you'),
  ]);
  // Twice, without a cookie, with a cookie that somebody made, and with an error.
  await given(ana);
  expect((await ana.send('/auth/grants/back', { query })).status).toBe(403);
  ana.cookies(origin).set('sluice-grant', Buffer.from('{"owner":"ana"}').toString('base64url'));
  expect((await ana.send('/auth/grants/back', { query })).status).toBe(403);
  await ana.send('/auth/grants', { connection: 'svc' });
  const denied = await ana.send('/auth/grants/back', { query: '?error=access_denied&error_description=No&state=x' });
  expect(denied.status).toBe(403);
  // From another site, without a login, and where nobody wants one.
  expect((await ana.send('/auth/grants', { connection: 'svc' }, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await new Browser('ana', origin).send('/auth/grants', { connection: 'svc' })).status).toBe(401);
  expect((await ana.send('/auth/grants', { connection: 'other' })).status).toBe(404);
  const olga = await new Browser('olga', origin).login();
  expect((await olga.send('/auth/grants', { connection: 'svc' })).status).toBe(404);
  expect(stand.gateway.grants.all().map(({ principal }) => principal)).toEqual(['ana']);
  const who = await stand.gateway.admissions.freeze('user:ana', 'olga', 'looks odd');
  expect([who, (await ana.send('/auth/grants', { connection: 'svc' })).status]).toEqual([true, 403]);
  await stand.gateway.admissions.thaw('user:ana', { actor: 'olga' }, 'fine');
});

test('an issuer is one that a server may name, and what it kept is good for no other one', async () => {
  const ana = await new Browser('ana', origin).login();
  const begin = async (by: string | undefined): Promise<string> => {
    named = by;
    return (await ana.send('/auth/grants', { connection: 'svc' })).said.message;
  };
  expect(await begin('file:///etc/passwd')).toContain('names no issuer');
  expect(await begin('https://169.254.169.254/')).toContain('names no issuer');
  expect(await begin('http://issuer.example/')).toContain('names no issuer');
  expect(await begin('https://user:word@issuer.example/')).toContain('names no issuer');
  expect(await begin(undefined)).toContain('names no issuer');
  expect(await begin(`${issuer.url}/nothing`)).toContain('does not say how people log in');
  named = issuer.url;
  await given(ana);
  // Whoever exchanges two rows of the store, or the key, has nothing.
  const file = join(stand.folder, 'data', 'control.db');
  await stand.gateway.stop();
  const db = new DatabaseSync(file);
  db.prepare("update grants set owner = replace(owner, 'ana', 'ben')").run();
  db.close();
  await open();
  const bens = await tokenOf(await new Browser('ben', origin).login());
  expect((await who(bens)).error.data.reason).toBe('grant-needed');
  await stand.gateway.stop();
  const back = new DatabaseSync(file);
  back.prepare("update grants set owner = replace(owner, 'ben', 'ana')").run();
  back.close();
  const key = readFileSync(join(stand.folder, 'data', 'grants.key'), 'utf8');
  await open();
  const anas = await tokenOf(await new Browser('ana', origin).login());
  expect((await who(anas)).result.content[0].text).toContain('ana at ');
  await stand.gateway.stop();
  writeFileSync(join(stand.folder, 'data', 'grants.key'), Buffer.alloc(32).toString('base64'));
  await open();
  expect((await who(anas)).error.data.reason).toBe('grant-needed');
  expect(key).not.toBe('');
});

test.skipIf(missingChromium())('with a browser: the page of the link, the issuer, and the list', async () => {
  const chromium = await openBrowser();
  try {
    const { page, complaints } = await loggedIn(chromium, origin, 'ana', '/grants/svc');
    await page.getByText('What you send by the connection svc is done there in your own name.').waitFor();
    await page.getByRole('button', { name: 'Go there and log in' }).click();
    await page.getByRole('button', { name: /^Ana/ }).click();
    await page.getByText('The gateway may use svc in your name.').waitFor();
    // What was good once is in no address any more.
    expect(new URL(page.url()).search).toBe('');
    await page.getByRole('link', { name: 'All grants' }).click();
    await page.getByRole('button', { name: 'Revoke svc of ana' }).click();
    await page.getByRole('button', { name: 'Yes, take it back' }).click();
    await page.getByText('There is no grant').waitFor();
    expect(complaints).toEqual([]);
  } finally {
    await chromium.close();
  }
});
