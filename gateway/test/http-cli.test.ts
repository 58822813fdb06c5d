/** The command line about HTTP: a request by `connect`, what clients are told, what a session looks like, and who is kept out. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { TestIssuer } from './issuer.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');
let stand: HttpStand;
let issuer: TestIssuer;

beforeAll(async () => {
  issuer = await TestIssuer.open();
  stand = await openHttpStand({
    sections: `issuers:
  ci: { issuer: "${issuer.url}", audience: sluice, kind: agent, principal_prefix: "ci:", groups: groups, record: [run_id] }`,
    serve: (request, response, body) => {
      response.setHeader('Content-Type', 'text/plain');
      response.end(`${request.method} ${request.url} got ${body.length}\nsecond line`);
    },
  });
});
afterAll(async () => {
  await stand.stop();
  issuer.close();
});

/** What the command prints, with the token of `principal`, or of whoever runs the gateway. */
async function sluice(token: string, ...words: string[]): Promise<string> {
  const { SLUICE_URL: _, ...environment } = process.env;
  const certificate = join(stand.folder, 'data', 'gateway.crt');
  const all = [MAIN, '--url', stand.gateway.url, '--data', join(stand.folder, 'none'), ...words];
  const env = {
    ...environment,
    SLUICE_TOKEN: token,
    XDG_CONFIG_HOME: stand.folder,
    NO_COLOR: '1',
    CURL_CA_BUNDLE: certificate,
  };
  return (await promisify(execFile)(process.execPath, all, { env })).stdout;
}

const administrator = (): string => readFileSync(join(stand.folder, 'data', 'admin.token'), 'utf8').trim();

/** The id of the newest session of `principal`. */
async function sessionOf(principal: string): Promise<string> {
  const listed = JSON.parse(await sluice(administrator(), '--output', 'json', 'sessions', 'ls')) as {
    id: string;
    principal: string;
  }[];
  const own = listed.filter((one) => one.principal === principal);
  expect(own.length).toBeGreaterThan(0);
  return own[0]?.id ?? '';
}

const send = (token: string, path: string, method = 'GET', body?: string): Promise<Response> =>
  fetch(`${stand.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
  });

test('what clients are told', async () => {
  const text = await sluice(stand.token, 'client-config', 'http', 'svc');
  expect(text).toContain(`https://127.0.0.1:${stand.port}/svc`);
  const json = JSON.parse(
    await sluice(stand.token, '--output', 'json', 'client-config', 'http', '--host', 'gw.example'),
  ) as object;
  expect(json).toEqual([{ connection: 'svc', url: `https://gw.example:${stand.port}/svc` }]);
  await expect(sluice(stand.token, 'client-config', 'http', 'none')).rejects.toThrow('There are: svc.');
});

test.skipIf(findTool('curl') === undefined)('connect is a GET of a path, and says no to what is none', async () => {
  expect(await sluice(stand.token, 'connect', 'svc', '-c', '/users?x=1')).toContain('GET /users?x=1 got 0');
  for (const wrong of ['users', '/a b', '/a\nheader = "X: y"'])
    await expect(sluice(stand.token, 'connect', 'svc', '-c', wrong)).rejects.toThrow('the command is a path');
});

test('show and replay print exchanges', async () => {
  await send(stand.token, '/a?b=c', 'POST', '{"n":1}');
  expect((await send(stand.token, '/prod/x', 'DELETE')).status).toBe(403);
  const id = await sessionOf('dev');
  const shown = await sluice(administrator(), 'sessions', 'show', id);
  expect(shown).toMatch(/✓ POST \/a\?b=c\n.*→ 200 OK {2}\d+ bytes\n/);
  expect(shown).toMatch(/✗ DELETE \/prod\/x\n.*refused by no-destruction/);
  expect(shown).not.toContain('rows');
  const replayed = await sluice(administrator(), 'sessions', 'replay', id, '--speed', '0');
  const lines = replayed.split('\n').map((line) => line.trim());
  for (const line of [
    '> content-type: application/json',
    '> {"n":1}',
    '< HTTP/1.1 200 OK',
    '< POST /a?b=c got 7',
    '< second line',
  ])
    expect(lines).toContain(line);
  expect(replayed).toMatch(/→ 200 OK {2}\d+ bytes\n/);
  expect(replayed).not.toContain('rows');
});

describe('a pipeline', () => {
  test('is found by a claim that was kept', async () => {
    const token = await issuer.token({ run_id: '4711', groups: ['engineers'] });
    expect((await send(token, '/job')).status).toBe(200);
    const found = await sluice(administrator(), 'sessions', 'ls', '--claim', 'run_id=4711');
    expect(found).toContain('ci:ana');
    expect(await sluice(administrator(), 'sessions', 'ls', '--claim', 'run_id=4712')).not.toContain('ci:ana');
  });
});

test('whoever is kept out gets in again when the time is over', async () => {
  const id = await sessionOf('dev');
  await sluice(administrator(), 'sessions', 'kill', id, '--keep-out', '5', '--reason', 'enough');
  const refused = await send(stand.token, '/again');
  expect(refused.status).toBe(403);
  expect(await refused.text()).toContain('stays closed');
  await expect.poll(async () => (await send(stand.token, '/again')).status).toBe(200);
});

describe('client-config mcp', () => {
  const config = (...words: string[]): Promise<string> => sluice(stand.token, 'client-config', 'mcp', ...words);

  test('prints what each client of MCP needs, without the token', async () => {
    const url = new URL('/mcp', stand.url).href.replace('http:', 'https:');
    const all = await config();
    for (const title of ['Claude Code', 'Codex', 'Cursor', 'VS Code', 'Claude Desktop', 'any other client'])
      expect(all).toContain(`# ${title}: `);
    expect(all.split(url)).toHaveLength(7);
    expect(all).not.toContain(stand.token);
    expect(JSON.parse(await config('claude-code'))).toEqual({
      // What the client itself puts the token into.
      // oxlint-disable-next-line no-template-curly-in-string
      mcpServers: { sluice: { type: 'http', url, headers: { Authorization: 'Bearer ${SLUICE_TOKEN}' } } },
    });
    expect(await config('codex', '--host', 'gateway.example')).toBe(
      `[mcp_servers.sluice]\nurl = "${url.replace('127.0.0.1', 'gateway.example')}"\nbearer_token_env_var = "SLUICE_TOKEN"\n`,
    );
  }, 240_000);

  test('asks for the address of whoever has no connection that says it', async () => {
    await expect(sluice(stand.stranger, 'client-config', 'mcp')).rejects.toThrow(/--address has it/);
    expect(
      await sluice(stand.stranger, 'client-config', 'mcp', 'json', '--address', 'https://a.example/mcp'),
    ).toContain('"url": "https://a.example/mcp"');
    await expect(config('notepad')).rejects.toThrow(/There is no client "notepad" here/);
  }, 240_000);
});
