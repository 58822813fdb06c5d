import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Loaded, describeProblem, parseConfig } from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';

const parse = (text: string): Loaded =>
  parseConfig(text, { file: join(folder, 'sluice.yaml'), env: { KEY: 'secret' } });
const problems = (text: string): string[] => {
  const loaded = parse(text);
  return loaded.ok ? [] : loaded.problems.map((one) => describeProblem({ ...one, file: '' }).slice(1));
};

interface Parts {
  readonly listener?: string;
  readonly hostKeys?: string;
  readonly credential?: string;
  readonly more?: string;
  readonly policies?: string;
  readonly keys?: string;
}

const yaml = ({
  listener = 'ssh: {}',
  hostKeys = `{ keys: ["${KEY}"] }`,
  credential = '{ user: ops }',
  more = '',
  policies = '',
  keys = '',
}: Parts): string => `listeners: { ${listener} }
principals:
  ada: { groups: [ops]${keys} }
connections:
  vm:
    protocol: ssh
    target: { host: vm.internal, host_keys: ${hostKeys} }
    credential: ${credential}
    access: ["group:ops"]
    policies: [${policies === '' ? '' : 'p'}]
${more}${policies === '' ? '' : `policies:\n  p:\n${policies}`}`;

test('a machine, with what is left out', () => {
  const loaded = parse(
    yaml({ credential: '{ user: ops, private_key: "${env:KEY}" }', keys: `, ssh_keys: ["${KEY} ada@laptop"]` }),
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { listeners, connections, sshKeys } = loaded.config;
  expect(listeners.clients[1]).toMatchObject({ protocol: 'ssh', addresses: ['127.0.0.1'], port: 2222, tls: 'off' });
  const vm = connections.get('vm');
  if (vm?.protocol !== 'ssh') throw new Error('not SSH');
  expect(vm).toMatchObject({
    shell: 'opaque',
    accounts: [],
    target: { port: 22, hostKeys: { firstUse: false, authorities: [] } },
  });
  expect(vm.credential.privateKey?.reveal()).toBe('secret');
  expect(sshKeys.get('ada')?.map(({ type }) => type)).toEqual(['ssh-ed25519']);
});

test('known_hosts is read for its host, markers included', () => {
  writeFileSync(join(folder, 'known_hosts'), `vm.internal ${KEY}\n@cert-authority *.internal ${KEY}\nother ${KEY}\n`);
  const loaded = parse(yaml({ hostKeys: '{ known_hosts: known_hosts }' }));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const vm = loaded.config.connections.get('vm');
  if (vm?.protocol !== 'ssh') throw new Error('not SSH');
  expect([vm.target.hostKeys?.keys.length, vm.target.hostKeys?.authorities.length]).toEqual([1, 1]);
  writeFileSync(join(folder, 'known_hosts'), `other ${KEY}\n`);
  expect(problems(yaml({ hostKeys: '{ known_hosts: known_hosts }' }))).toEqual([
    '7:60  connections.vm.target.host_keys.known_hosts: no line of the file is about vm.internal.',
  ]);
});

test.each<[string, Parts, string]>([
  ['no listener', { listener: '' }, '6:15  connections.vm.protocol: no SSH client can connect. Add listeners.ssh.'],
  [
    'no host key',
    { hostKeys: '{}' },
    'no key of the host is pinned. Use keys, known_hosts or ca; first_use: true trusts whoever answers first.',
  ],
  [
    'first use of a pinned host',
    { hostKeys: `{ keys: ["${KEY}"], first_use: true }` },
    '"first_use" is for a host without any pinned key.',
  ],
  [
    'a key that is none',
    { hostKeys: '{ keys: ["ssh-ed25519 AAAA"] }' },
    'connections.vm.target.host_keys.keys[0]: this is no public key: ',
  ],
  [
    'two credentials',
    { credential: '{ user: ops, password: x, certificate: true }' },
    '8:5  connections.vm.credential: use one of "password", "private_key", "certificate" and "secret".',
  ],
  ['masks of results', { more: '    not_followed: refuse\n' }, '"not_followed" is not a setting here.'],
  ['a setting of databases', { more: '    functions: { trusted: [x] }\n' }, '"functions" is not a setting here.'],
  [
    'a mistyped setting',
    { more: '    acounts: [root]\n' },
    '"acounts" is not a setting here. Did you mean "accounts"?',
  ],
  [
    'a mask of columns',
    { policies: '    - { rule: r, mask: { columns: [email] } }\n' },
    'rule "r" masks columns, which SSH does not have. Use "detect", or a policy of its own for databases.',
  ],
  [
    'a mask that needs a place',
    { policies: '    - { rule: r, mask: { detect: [email], with: generalise } }\n' },
    'rule "r" masks with "generalise", which a stream of bytes has no place for. Use redact, partial or hash.',
  ],
])('%s is a mistake', (_, parts, expected) => {
  expect(problems(yaml(parts)).join('\n')).toContain(expected);
});

test('a key stands for one principal', () => {
  const text = `principals:\n  ada: { ssh_keys: ["${KEY}"] }\n  bob: { ssh_keys: ["${KEY} again"] }\n`;
  expect(problems(text)).toEqual(['3:21  principals.bob.ssh_keys[0]: this key is that of "ada" already.']);
});

test('another protocol is none', () => {
  const text = yaml({}).replace('protocol: ssh', 'protocol: telnet');
  expect(problems(text).join('\n')).toContain('expected postgres, mysql, ssh, http or { package: NAME }');
});
