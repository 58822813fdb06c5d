/** `sluice mcp`, what a session looks like when it is replayed, what rules would say, and where a client without a token is sent. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { TestIssuer } from './issuer.js';
import { type McpStand, openMcpStand } from './mcp-stand.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');
let stand: McpStand;
let issuer: TestIssuer;

const build = (server: McpServer): void => {
  const inputSchema = { path: z.string() };
  server.registerTool(
    'read',
    { description: 'Reads.', inputSchema, annotations: { readOnlyHint: true } },
    async ({ path }, { sendNotification }) => {
      await sendNotification({ method: 'notifications/message', params: { level: 'info', data: `reading ${path}` } });
      return { content: [{ type: 'text', text: `content of ${path}` }] };
    },
  );
  server.registerTool('wipe', { inputSchema: {}, annotations: { readOnlyHint: true } }, () => ({ content: [] }));
};

beforeAll(async () => {
  issuer = await TestIssuer.open();
  stand = await openMcpStand({
    build,
    sections: `issuers:\n  people: { issuer: "${issuer.url}", audience: sluice }`,
    rules: `
    - { rule: no-wiping, when: 'tool.name == "wipe"', deny: Nothing is wiped. }
    - { rule: no-etc, when: 'tool.argument("/path").startsWith("/etc/")', deny: Nothing is read there. }
`,
  });
});
afterAll(async () => {
  await stand.stop();
  issuer.close();
});

const words = (...more: string[]): string[] => [
  MAIN,
  '--url',
  stand.gateway.url,
  '--data',
  join(stand.folder, 'data'),
  ...more,
];
const environment = (token: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  SLUICE_TOKEN: token,
  XDG_CONFIG_HOME: stand.folder,
  NO_COLOR: '1',
});
const administrator = (): string => readFileSync(join(stand.folder, 'data', 'admin.token'), 'utf8').trim();
const sluice = async (...more: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, words(...more), { env: environment(administrator()) })).stdout;

test('a client that starts a server is bridged to one behind the gateway', async () => {
  const client = new Client({ name: 'test', version: '1' });
  const logged: unknown[] = [];
  client.fallbackNotificationHandler = ({ params }) => Promise.resolve(void logged.push(params));
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: words('mcp', 'svc'), env: environment(stand.token) }),
  );
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read']);
  const { content } = await client.callTool({ name: 'read', arguments: { path: '/srv/grüße' } });
  expect(content).toEqual([{ type: 'text', text: 'content of /srv/grüße' }]);
  expect(logged).toEqual([{ level: 'info', data: 'reading /srv/grüße' }]);
  await expect(client.callTool({ name: 'wipe' })).rejects.toThrow('Nothing is wiped.');
  await client.close();
});

test('a session is a conversation when it is replayed', async () => {
  const client = await stand.client();
  await client.listTools();
  await client.callTool({ name: 'read', arguments: { path: '/srv/a' } });
  await expect(client.callTool({ name: 'read', arguments: { path: '/etc/passwd' } })).rejects.toThrow(
    'Nothing is read there.',
  );
  await client.close();
  const sessions = JSON.parse(await sluice('--output', 'json', 'sessions', 'ls')) as {
    id: string;
    principal: string;
  }[];
  const shown = (
    await Promise.all(
      sessions.filter(({ principal }) => principal === 'dev').map(({ id }) => sluice('sessions', 'replay', id)),
    )
  ).join('\n');
  expect(shown).toContain('tools/call read {"path":"/srv/a"}');
  expect(shown).toContain('content of /srv/a');
  expect(shown).toContain('tools/call read {"path":"/etc/passwd"}');
  expect(shown).toContain('Nothing is read there.');
});

test('what the rules would say of a call is explained, and tested in cases', async () => {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'read', arguments: { path: '/etc/passwd' } },
  });
  // What would be refused is an exit status as well.
  const failed = await sluice('policy', 'explain', '--connection', 'svc', '--path', '/', '--body', body).catch(
    (error: unknown) => error,
  );
  const { stdout: explained } = failed as { stdout: string };
  expect(explained).toContain('REFUSED by rule "no-etc"');
  expect(explained).toContain('tools/call:read');
  const file = join(stand.folder, 'cases.yaml');
  writeFileSync(
    file,
    `cases:
  - { connection: svc, call: { tool: read, arguments: { path: /etc/passwd }, annotations: { readOnlyHint: true } }, expect: deny, rule: no-etc }
  - { connection: svc, call: { tool: read, arguments: { path: /srv/a }, annotations: { readOnlyHint: true } }, expect: allow }
  - { connection: svc, call: { tool: read, arguments: { path: /srv/a } }, expect: deny, rule: gateway }
`,
  );
  const tested = await sluice('policy', 'test', file, '--config', join(stand.folder, 'sluice.yaml'));
  expect(tested).toContain('3 held, 0 did not');
});

test('a client without a token is told where to ask for one, whether there is a server or not', async () => {
  const ask = (path: string): Promise<Response> =>
    fetch(new URL(path, stand.address), {
      method: 'POST',
      body: '{}',
      headers: { Accept: 'application/json, text/event-stream' },
    });
  for (const name of ['svc', 'no-such-connection']) {
    const answer = await ask(`/${name}`);
    expect(answer.status).toBe(401);
    const where = /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1] ?? '';
    expect(where).toBe(`${stand.address.origin}/.well-known/oauth-protected-resource/${name}`);
    const metadata = await (await fetch(where)).json();
    expect(metadata).toEqual({
      resource: `${stand.address.origin}/${name}`,
      authorization_servers: [issuer.url],
      bearer_methods_supported: ['header'],
    });
  }
});
