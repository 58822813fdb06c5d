import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Loaded, describeProblem, jsonSchema, parseConfig, protocolNamed } from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NAME = '@acme/sluice-redis';

interface Parts {
  readonly listener?: string;
  readonly listeners?: string;
  readonly protocol?: string;
  readonly target?: string;
  readonly credential?: string;
  readonly more?: string;
  readonly rule?: string;
}

const yaml = ({
  listener = `{ protocol: { package: "${NAME}" }, port: 6379 }`,
  listeners = `packages: [${listener}]`,
  protocol = `{ package: "${NAME}" }`,
  target = '{ host: cache, port: 6379 }',
  credential = '{ password: "${env:KEY}" }',
  more = '',
  rule = '',
}: Parts): string => `listeners: { ${listeners} }
principals: { ada: { groups: [ops] } }
connections:
  cache:
    protocol: ${protocol}
    target: ${target}
    credential: ${credential}
    access: ["group:ops"]
    policies: [p]
${more}policies: { p: [${rule}] }
`;

const parse = (parts: Parts): Loaded =>
  parseConfig(yaml(parts), { file: join(folder, 'sluice.yaml'), env: { KEY: 'secret' } });
const problems = (parts: Parts): string => {
  const loaded = parse(parts);
  return loaded.ok ? '' : loaded.problems.map((one) => describeProblem({ ...one, file: '' }).slice(1)).join('\n');
};

test('a listener and a connection, with what is left out', () => {
  const loaded = parse({ more: '    options: { database: 3, list: [a] }\n' });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { listeners, connections, folder: found } = loaded.config;
  expect(found).toBe(folder);
  expect(listeners.clients.at(-1)).toEqual({
    protocol: NAME,
    addresses: ['127.0.0.1'],
    port: 6379,
    tls: 'self-signed',
    login: undefined,
    requireTls: false,
  });
  expect(connections.get('cache')).toMatchObject({
    protocol: NAME,
    target: { host: 'cache', port: 6379, tls: 'verify-full' },
    credential: { user: '', certificate: false },
    options: { database: 3, list: ['a'] },
  });
  expect(connections.get('cache')?.credential.password?.reveal()).toBe('secret');
});

test.each([
  [
    'no listener',
    { listeners: '' },
    '5:5  connections.cache.protocol: no client can connect. Add it to listeners.packages.',
  ],
  ['a slip in the name', { protocol: '{ package: "@acme/sluice-rediss" }' }, `Did you mean "${NAME}"?`],
  [
    'two listeners',
    { listener: `{ protocol: { package: "${NAME}" }, port: 1 }, { protocol: { package: "${NAME}" }, port: 2 }` },
    `listeners.packages[1].protocol: "${NAME}" has a listener already.`,
  ],
  ['a path', { protocol: '{ package: "./redis" }' }, 'connections.cache.protocol.package: write the name of a package'],
  ['an address', { protocol: '{ package: "https://x.example/redis" }' }, 'write the name of a package'],
  ["a module of Node's own", { protocol: '{ package: "http" }' }, "this is a module of Node's own, and no package."],
  ['a name that is taken', { protocol: '{ package: "postgres" }' }, "a protocol of Sluice's own has this name."],
  ['no port of the listener', { listener: `{ protocol: { package: "${NAME}" } }` }, '"port" is missing'],
  ['no port of the target', { target: '{ host: cache }' }, 'connections.cache.target.port: "port" is missing'],
  ['a key that is not known', { more: '    shel: bash\n' }, 'connections.cache.shel: "shel" is not a setting here.'],
  ['a database', { target: '{ host: cache, port: 1, database: x }' }, '"database" is not a setting here.'],
  ['an authority that nobody looks at', { target: '{ host: c, port: 1, tls: disable, ca: x }' }, 'target.ca: the file'],
  ['two secrets', { credential: '{ password: x, secret: "agent:y" }' }, 'there is a "password" already'],
  ['options that are none', { more: '    options: [a]\n' }, 'connections.cache.options: expected record'],
  [
    'a mask of columns',
    { rule: '{ rule: m, mask: { columns: [a.b] } }' },
    'rule "m" masks columns, which a protocol in a package does not have.',
  ],
  ['a mask that needs a place', { rule: '{ rule: m, mask: { detect: [email], with: null } }' }, ''],
  [
    'a protocol that is neither',
    { protocol: 'redis' },
    '5:15  connections.cache.protocol: expected postgres, mysql, ssh, http or { package: NAME }.',
  ],
  [
    'a protocol that is no name',
    { protocol: '[redis]' },
    'connections.cache.protocol: expected postgres, mysql, ssh, http or { package: NAME }.',
  ],
  [
    'TLS that is required and off',
    { listener: `{ protocol: { package: "${NAME}" }, address: 0.0.0.0, port: 1, tls: off }` },
    'listeners.packages[0].tls: TLS is required here and switched off, so nobody could log in.',
  ],
])('%s is a mistake', (_, parts: Parts, message) => {
  expect(problems(parts)).not.toBe('');
  expect(problems(parts)).toContain(message);
});

test('warnings: whom it talks to is not verified, and clients without TLS', () => {
  const loaded = parse({
    target: '{ host: cache, port: 1, tls: disable }',
    listener: `{ protocol: { package: "${NAME}" }, address: 0.0.0.0, port: 1, require_tls: false }`,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { listenerWarnings, warnings } = protocolNamed(NAME);
  const { listeners, connections } = loaded.config;
  expect([...connections.values()].flatMap(warnings)).toEqual([
    'Connection "cache" does not verify whom it talks to (tls: disable).',
  ]);
  expect(listeners.clients.flatMap(listenerWarnings).at(-1)).toContain('others can read and change what they send');
});

test('editors complete it', () => {
  expect(JSON.stringify(jsonSchema())).toContain('"package"');
});
