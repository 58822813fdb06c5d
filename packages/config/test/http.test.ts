import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Config, describeProblem, parseConfig } from '../src/index.js';

/** Connections and listeners by HTTP in a configuration. */
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-config-http-'));
  writeFileSync(
    join(folder, 'spec.yaml'),
    `openapi: 3.1.0
paths: { /users: { get: { operationId: list } } }
components:
  schemas:
    User: { properties: { pin: { type: string, format: password }, card: { $ref: "#/components/schemas/Card" }, name: { type: string } } }
    Card: { type: string, x-sensitive: true }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const yaml = (connection: string, more = ''): string => `
listeners: { http: { port: 0 } }
principals: { dev: {}, build: { certificates: ["DNS:build.internal"] } }
connections:
  app: { protocol: http, ${connection}, access: [dev] }
${more}`;

function outcome(text: string): { config?: Config; problems: string } {
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, text);
  const loaded = parseConfig(text, { file, env: {} });
  return loaded.ok
    ? { config: loaded.config, problems: '' }
    : { problems: loaded.problems.map(describeProblem).join('\n') };
}
const problems = (connection: string, more?: string): string => outcome(yaml(connection, more)).problems;
const good = (connection: string, more?: string): Config => {
  const { config, problems: found } = outcome(yaml(connection, more));
  expect(found).toBe('');
  return config as Config;
};

test('a target is an address, with its path in front of those of requests', () => {
  const { target, http } = good('target: { url: "https://app.internal:8443/api/" }').connections.get('app') ?? {};
  expect(target).toMatchObject({ host: 'app.internal', port: 8443, tls: 'verify-full' });
  expect(http).toMatchObject({
    authority: 'app.internal:8443',
    base: '/api',
    https: true,
    holdWait: 45_000,
    linger: 120_000,
  });
  expect(good('target: { url: "http://[::1]" }').connections.get('app')?.target).toMatchObject({
    host: '::1',
    port: 80,
    tls: 'disable',
  });
});

test('a path with a suffix is one without, unless the connection says otherwise', () => {
  const read = (more: string): unknown =>
    good(`target: { url: "http://127.0.0.1" }${more}`).connections.get('app')?.http?.reading.suffixes;
  expect(read('')).toBe('alike');
  expect(read(', suffixes: apart')).toBe('apart');
  expect(problems('target: { url: "http://127.0.0.1" }, suffixes: none')).toContain('suffixes');
});

test('masks of bodies, and media that they cannot read', () => {
  const mask =
    '{ json: ["/items/*/email", "**/ssn"], headers: [X-Owner], detect: [email], spec: true, request: true, with: hash }';
  const config = good(
    'target: { url: "http://127.0.0.1" }, spec: spec.yaml, policies: [p], unread: { "image/*": pass, application/octet-stream: text }',
    `policies: { p: [{ rule: m, mask: ${mask} }] }\n`,
  );
  const { http, rules } = config.connections.get('app') ?? {};
  expect([...(http?.unread ?? [])]).toEqual([
    ['image/*', 'pass'],
    ['application/octet-stream', 'text'],
  ]);
  expect(rules?.[0]?.then).toEqual({
    type: 'mask',
    columns: [],
    detect: ['email'],
    json: ['/items/*/email', '**/ssn'],
    headers: ['X-Owner'],
    spec: true,
    request: true,
    with: { type: 'hash' },
  });
  expect(http?.reading.spec?.marked).toEqual(['**/pin', '**/card']);
});

test('names of certificates and operations of a document are read', () => {
  const config = good('target: { url: "http://127.0.0.1" }, spec: spec.yaml');
  expect(config.certificates.get('DNS:build.internal')).toBe('build');
  expect(config.connections.get('app')?.http?.reading.spec?.find('GET', ['users'])).toBe('list');
});

describe('is a mistake', () => {
  const TARGET = 'target: { url: "http://127.0.0.1" }';
  test.each([
    ['an address with a user', 'target: { url: "https://u:p@app" }', 'without a user and a query'],
    ['another scheme', 'target: { url: "ftp://app" }', 'write an address'],
    ['two credentials', `${TARGET}, credential: { bearer: abc, basic: { user: a, password: b } }`, 'use one of'],
    [
      'a credential that frames',
      `${TARGET}, credential: { header: { name: Content-Length, value: "1" } }`,
      'cannot be in this header',
    ],
    ['a credential of two lines', `${TARGET}, credential: { bearer: "a\\r\\nX: y" }`, 'one line'],
    [
      'a token endpoint without TLS',
      `${TARGET}, credential: { oauth2: { token_url: "http://idp.example/t", client_id: a, client_secret: b } }`,
      'without https',
    ],
    ['a host with a port', `${TARGET}, hosts: ["a.example:80"]`, 'without a port'],
    ['a document that is none', `${TARGET}, spec: sluice.yaml`, 'no OpenAPI document'],
    ['descriptors that are none', `${TARGET}, descriptors: sluice.yaml`, 'this is no set of descriptors'],
    ['descriptors that are not there', `${TARGET}, descriptors: none.pb`, 'there is no such file'],
    ['a template that is none', `${TARGET}, graphql: ["api"]`, 'begins with a slash'],
    [
      'a client certificate behind an agent',
      `${TARGET}, credential: { certificate: { cert: sluice.yaml, key: sluice.yaml } }, via: dc1`,
      'an agent does not show client certificates',
    ],
    [
      'a grant of nobody knows whom, behind an agent',
      `${TARGET}, credential: { grant: { client_id: sluice } }, via: dc1`,
      'name it here',
    ],
    [
      'a grant of nobody knows whom, behind a socket',
      'target: { url: "http://app.internal", socket: /run/app.sock }, credential: { grant: { client_id: sluice } }',
      'name it here',
    ],
  ])('%s', (_, connection, message) => {
    expect(problems(connection)).toContain(message);
  });

  test('a host of two connections, a port for one that is not there, a mask', () => {
    const two = `  other: { protocol: http, ${TARGET}, hosts: [a.example], access: [dev] }\n`;
    expect(problems(`${TARGET}, hosts: [A.example]`, two)).toContain('leads to "app" already');
    expect(outcome(yaml(TARGET).replace('{ port: 0 }', '{ port: 0, ports: { nowhere: 9443 } }')).problems).toContain(
      'no connection "nowhere"',
    );
  });

  test.each<[string, string, string]>([
    ['columns', '{ columns: [a] }', 'masks columns, which HTTP does not have'],
    ['what nothing marks', '{ spec: true }', 'and this connection has none'],
    ['no place', '{ json: [a/b] }', 'a place in a body begins with a slash'],
    [
      'what is put back by no model',
      '{ detect: [email], request: true, with: reversible }',
      'this connection serves none',
    ],
    ['answers that nobody could put back', '{ detect: [email], with: reversible }', 'what is sent to a language model'],
    ['places reversibly', '{ json: [/a], detect: [email], request: true, with: reversible }', 'and nothing else'],
    ['nothing', '{ request: true }', 'a mask needs "columns", "detect", "json", "headers" or "spec"'],
  ])('a mask of %s', (_, mask, message) => {
    expect(problems(`${TARGET}, policies: [p]`, `policies: { p: [{ rule: m, mask: ${mask} }] }\n`)).toContain(message);
  });

  test('a mask that is turned back is for what is sent to a model', () => {
    const mask = '{ detect: [email], request: true, with: reversible }';
    const { connections } = good(
      `${TARGET}, llm: { provider: openai }, policies: [p]`,
      `policies: { p: [{ rule: m, mask: ${mask} }] }\n`,
    );
    expect(connections.get('app')?.rules[0]?.then).toMatchObject({ request: true, with: { type: 'reversible' } });
  });
});
