import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { isMountReadOnly } from '../src/files.js';
import { RENAMED } from '../src/renamed.js';
import { type Config, describeProblem, jsonSchema, type Loaded, loadConfig, parseConfig } from '../src/index.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  writeFileSync(join(folder, 'sluice.yaml'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const parse = (text: string, env: NodeJS.ProcessEnv = {}): Loaded =>
  parseConfig(text, { file: join(folder, 'sluice.yaml'), env });

function good(text: string, env: NodeJS.ProcessEnv = {}): Config {
  const loaded = parse(text, env);
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join('\n'));
  return loaded.config;
}

/** What is warned of in a configuration that is good, as `bad` has it. */
function warned(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  const loaded = parse(text, env);
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join('\n'));
  return loaded.warnings.map((warning) => warning.slice(warning.indexOf(':') + 1));
}

/** Each problem as `line:column path: message hint`. */
function bad(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  const loaded = parse(text, env);
  if (loaded.ok) return [];
  return loaded.problems.map((problem) => describeProblem({ ...problem, file: '' }).slice(1));
}

const SHOP = `
principals:
  ada: { groups: [engineers] }
  codex: { kind: agent }
connections:
  shop:
    protocol: postgres
    target: { host: db.internal }
    credential: { user: sluice, password: "\${env:SHOP_PASSWORD}" }
    access: ["group:engineers", "agent:codex"]
    policies: [production]
policies:
  production:
    - rule: no-destruction
      when: action.effects.exists(e, e == "destroy")
      deny: Tables are not dropped through the gateway.
    - rule: maintenance
      allow: true
      mode: observe
`;

describe('names that nobody has any more', () => {
  test.each([
    [
      'the last of a group is taken out of it',
      'groups: [engineers]',
      'groups: [engineer]',
      '10:14  connections.shop.access[0]: no principal is in a group "engineers". Did you mean "engineer"?',
    ],
    [
      'somebody is taken out',
      'codex: { kind: agent }',
      'other: { kind: agent }',
      '10:33  connections.shop.access[1]: there is no principal "codex".',
    ],
    [
      'nobody is left to approve',
      'allow: true',
      'hold: { approvers: ["group:dba"] }',
      '18:27  policies.production[1].hold.approvers[0]: no principal is in a group "dba".',
    ],
  ])('%s: the configuration is good, and warns', (_, from, to, warning) => {
    expect(warned(SHOP.replace(from, to), { SHOP_PASSWORD: 'x' })).toEqual([warning]);
  });
});

describe('what a good configuration means', () => {
  test('an empty one is complete', () => {
    const config = good('');
    expect(config.data).toBe(join(folder, '.sluice'));
    expect(config.listeners.clients[0]).toEqual({
      protocol: 'postgres',
      addresses: ['127.0.0.1'],
      port: 6432,
      tls: 'self-signed',
      login: 'scram',
      requireTls: false,
    });
    expect(config.limits).toEqual({
      message: 64 * 1024 ** 2,
      text: 16 * 1024 ** 2,
      recordedAnswer: 64 * 1024,
      terminal: 64 * 1024 ** 2,
      rows: 1024 ** 3,
      handshake: 10_000,
      upstreamLogin: 15_000,
      idle: 0,
      sessionsPerPrincipal: 100,
      connections: 10_000,
      logins: 2_000,
      loginsPerAddress: 500,
      drain: 30_000,
    });
  });

  test('rules carry the path at which they stand, in the order of the policies', () => {
    const shop = good(SHOP, { SHOP_PASSWORD: 'x' }).connections.get('shop');
    expect(shop?.rules).toEqual([
      {
        rule: 'no-destruction',
        when: 'action.effects.exists(e, e == "destroy")',
        then: { type: 'deny', message: 'Tables are not dropped through the gateway.' },
        mode: 'enforce',
        path: 'policies.production[0]',
      },
      { rule: 'maintenance', then: { type: 'allow' }, mode: 'observe', path: 'policies.production[1]' },
    ]);
    expect(shop?.target).toMatchObject({ port: 5432, tls: 'verify-full' });
  });

  test('TLS is required where others reach the port, unless it says otherwise', () => {
    const required = (listener: string): boolean | undefined =>
      good(`listeners: { postgres: ${listener} }`).listeners.clients[0]?.requireTls;
    expect(required('{}')).toBe(false);
    expect(required('{ address: ["::1", localhost, 127.0.0.5] }')).toBe(false);
    expect(required('{ address: ["127.0.0.1", "::"] }')).toBe(true);
    expect(required('{ address: "::", require_tls: false }')).toBe(false);
    expect(required('{ require_tls: true }')).toBe(true);
  });

  test('sizes, durations, several addresses', () => {
    const config = good(
      'limits: { message: 1.5MiB, recorded_answer: 1000, idle: 10m, drain: 500ms }\nlisteners: { postgres: { address: ["::1", 127.0.0.1] } }',
    );
    expect(config.limits).toMatchObject({ message: 1.5 * 1024 ** 2, recordedAnswer: 1000, idle: 600_000, drain: 500 });
    expect(config.listeners.clients[0]?.addresses).toEqual(['::1', '127.0.0.1']);
  });

  test('a secret is read from the environment or a file beside the configuration, and does not print', () => {
    const fromEnvironment = good(SHOP, { SHOP_PASSWORD: 's3cret' }).connections.get('shop')?.credential.password;
    expect(fromEnvironment?.reveal()).toBe('s3cret');
    expect(`${fromEnvironment}${JSON.stringify({ fromEnvironment })}${inspect(fromEnvironment)}`).not.toContain(
      's3cret',
    );
    writeFileSync(join(folder, 'password'), 'from a file\n');
    const text = SHOP.replace('${env:SHOP_PASSWORD}', '${file:password}');
    expect(good(text).connections.get('shop')?.credential.password?.reveal()).toBe('from a file');
  });
});

describe('what a mistake is answered with', () => {
  test.each([
    [
      'a key that is not known',
      'limits:\n  mesage: 1MiB',
      '2:3  limits.mesage: "mesage" is not a setting here. Did you mean "message"?',
    ],
    [
      'a key that is not known in one of two shapes',
      'listeners:\n  postgres:\n    tls: { cert: sluice.yaml, certt: a, key: sluice.yaml }',
      '3:31  listeners.postgres.tls.certt: "certt" is not a setting here. Did you mean "cert"?',
    ],
    ['a wrong word', 'record:\n  durability: disc', '2:15  record.durability: expected process or disk.'],
    ['a wrong type', 'control: { port: "7432" }', '1:18  control.port: expected number, received string.'],
    [
      'a size without a unit',
      'limits: { message: 64 Megabytes }',
      '1:20  limits.message: "64 Megabytes" is not a size. Write 64KiB or 16MiB.',
    ],
    [
      'a time that timers cannot wait for',
      'limits: { idle: 30d }',
      '1:17  limits.idle: "30d" is longer than 24 days. Write 10s, 5m or 12h.',
    ],
    [
      'no deadline for logins',
      'limits: { handshake: off }',
      '1:22  limits.handshake: "off" is not a duration. Write 10s, 5m or 12h.',
    ],
    [
      'a rule that does nothing',
      'policies:\n  p:\n    - rule: x',
      '3:7  policies.p[0]: rule "x" needs either "deny", "allow", "mask", "hold", "hold_answer", "hold_commit", "budget", "tripwire", "risk", or bounds of an answer ("max_rows", "max_bytes", "timeout").',
    ],
    [
      'a rule that does both',
      'policies: { p: [{ rule: x, allow: true, deny: No. }] }',
      '1:17  policies.p[0]: rule "x" needs either "deny", "allow", "mask", "hold", "hold_answer", "hold_commit", "budget", "tripwire", "risk", or bounds of an answer ("max_rows", "max_bytes", "timeout").',
    ],
    [
      'a bound beside another effect',
      'policies: { p: [{ rule: x, allow: true, max_rows: 5 }] }',
      '1:17  policies.p[0]: rule "x" needs either "deny", "allow", "mask", "hold", "hold_answer", "hold_commit", "budget", "tripwire", "risk", or bounds of an answer ("max_rows", "max_bytes", "timeout").',
    ],
    [
      'a budget of nothing',
      'policies: { p: [{ rule: x, budget: { within: 1h } }] }',
      '1:28  policies.p[0].budget: a budget needs "requests", "tokens" or "cost", or "statements", "rows", "bytes", "time", "at_once", "logins" or "distinct".',
    ],
    [
      'a budget in a zone that there is not',
      'policies: { p: [{ rule: x, budget: { rows: 5, within: { day: Europe/Nowhere } } }] }',
      '1:62  policies.p[0].budget.within.day: there is no such zone: write one like "Europe/Berlin".',
    ],
    [
      'statements by model',
      'policies: { p: [{ rule: x, budget: { statements: 5, per: [model] } }] }',
      '1:28  policies.p[0].budget: only calls of language models are counted by model.',
    ],
    [
      'people who are asked when it is too late',
      'principals: { ada: { roles: [approver] } }\npolicies: { p: [{ rule: x, budget: { rows: 5, hold: { approvers: ["user:ada"] } } }] }',
      '2:28  policies.p[0].budget: people release commands before they run: "hold" needs "statements" or "at_once".',
    ],
    [
      'a tripwire that one person alone would trip for all',
      'policies: { p: [{ rule: x, tripwire: { refusals: 2, freeze: connection } }] }',
      '1:28  policies.p[0].tripwire: each of its 3 people has to count: amounts below "people" cannot freeze a connection.',
    ],
    [
      'a tripwire that learns what it does not count',
      'policies: { p: [{ rule: x, tripwire: { refusals: 5, learn: 1h } }] }',
      '1:28  policies.p[0].tripwire: "learn" is for "new_tables".',
    ],
    [
      'a budget of different values of nothing',
      'policies: { p: [{ rule: x, budget: { distinct: 5 } }] }',
      '1:28  policies.p[0].budget: "distinct" counts the values of "columns" or "detect", and these are for nothing else.',
    ],
    [
      'a budget of rows of a column',
      'policies: { p: [{ rule: x, budget: { rows: 5, columns: [a.b] } }] }',
      '1:28  policies.p[0].budget: "distinct" counts the values of "columns" or "detect", and these are for nothing else.',
    ],
    [
      'two rules of one name',
      'policies:\n  p:\n    - { rule: x, allow: true }\n    - { rule: x, deny: No. }',
      '4:15  policies.p[1].rule: this policy has another rule "x".',
    ],
    [
      "a rule with the gateway's name",
      'policies: { p: [{ rule: gateway, deny: No. }] }',
      '1:25  policies.p[0].rule: "gateway" is what the gateway calls its own rules.',
    ],
    [
      'a name with a space',
      'policies:\n  my policy: []',
      '2:3  policies.my policy: a name has letters, digits, "_", "-", "." and "@" only.',
    ],
    ['a name that objects are made of', 'principals:\n  __proto__: {}', '2:3  This cannot be the name of a setting.'],
    ['the same key twice', 'data: a\ndata: b', '2:1  Map keys must be unique.'],
    ['a tag that means nothing', 'data: !vault x', '1:7  Unresolved tag: !vault.'],
    [
      'tokens in the clear',
      'listeners: { postgres: { address: 0.0.0.0, tls: off, login: password } }',
      '1:61  listeners.postgres.login: login by password without TLS would show tokens to the network. Switch tls on, or use scram.',
    ],
    [
      'the control API where others reach it',
      'control: { address: 0.0.0.0 }',
      '1:21  control.address: the control API has no TLS of its own: tokens would be shown to the network. Keep it on 127.0.0.1, with a proxy or an SSH tunnel in front for other machines.',
    ],
    [
      'a name that only looks like loopback',
      'listeners: { postgres: { address: 127.evil.example, tls: off, login: password } }',
      '1:70  listeners.postgres.login: login by password without TLS would show tokens to the network. Switch tls on, or use scram.',
    ],
    [
      'a webhook to a name that only looks like loopback',
      'webhooks: [{ url: "http://127.evil.example/hook", secret: "0123456789abcdef" }]',
      '1:19  webhooks[0].url: statements are in these messages: without https anybody between could read them.',
    ],
    [
      'the name of the built-in administrator',
      'principals: { Operator: { roles: [user] } }',
      `1:15  principals.Operator: "Operator" is a name of the gateway's own. Choose another name; roles: [admin] makes an administrator.`,
    ],
    [
      'two principals that people cannot tell apart',
      'principals: { bob: {}, Bob: {} }',
      '1:24  principals.Bob: "Bob" and "bob" differ in their case only.',
    ],
    [
      'a listener in a network that has no TLS',
      'listeners: { postgres: { address: ["127.0.0.1", 0.0.0.0], tls: off } }',
      '1:64  listeners.postgres.tls: TLS is required here and switched off, so nobody could log in. Switch tls on; with require_tls: false others can read and change what clients send.',
    ],
  ])('%s', (_, text, problem) => {
    expect(bad(text)).toEqual([problem]);
  });

  test('broken YAML names the line and quotes nothing of it', () => {
    const [first = ''] = bad('data: x\nconnections: { shop: { credential: { password: hunter2 }');
    expect(first).toMatch(/^2:\d+ /);
    expect(first).not.toContain('hunter2');
  });

  test('a file that is not there', () => {
    const file = join(folder, 'none.yaml');
    const loaded = loadConfig(file);
    expect(loaded.ok ? [] : loaded.problems.map(describeProblem)).toEqual([
      `${file}:1:1  The configuration cannot be read: there is no such file.`,
    ]);
  });

  test.each([
    [
      'a mask of nothing',
      'mask: { with: redact }',
      '18:7  policies.production[1].mask: a mask needs "columns", "detect", "json", "headers" or "spec".',
    ],
  ])('%s', (_, effect, problem) => {
    expect(bad(SHOP.replace('allow: true', effect), { SHOP_PASSWORD: 'x' })).toEqual([problem]);
  });

  test.each([
    ['after: 10m, to: ["user:ada"]', 'escalate.after: nobody is asked any more by then'],
    ['after: 1m, to: ["ada"]', 'escalate.to[0]: write group:name'],
  ])('further approvers that are a mistake: %s', (escalate, problem) => {
    const effect = `hold: { approvers: ["user:ada"], escalate: { ${escalate} } }`;
    const found = bad(SHOP.replace('allow: true', effect), { SHOP_PASSWORD: 'x' });
    expect(found.join('\n')).toContain(problem);
  });

  test.each([
    ['hold: { approvers: ["user:ada"], break_glass: ["agent:bot"] }', 'programs pass nothing by themselves'],
    ['hold: { approvers: ["user:ada"], break_glass: [] }', 'hold.break_glass: '],
    ['deny: No.\n      break_glass: ["user:ada"]', 'nobody passes a refusal, a mask'],
    ['mask: { detect: [email] }\n      break_glass: ["user:ada"]', 'nobody passes a refusal, a mask'],
    ['hold_answer: { approvers: ["user:ada"], break_glass: ["user:ada"] }', 'an answer that others read first'],
  ])('who may pass by themselves, where that is a mistake: %s', (effect, problem) => {
    const found = bad(SHOP.replace('allow: true', effect), { SHOP_PASSWORD: 'x' });
    expect(found.join('\n')).toContain(problem);
  });

  test('who may pass by themselves, and is nobody', () => {
    const wish = '{ approvers: ["user:ada"], break_glass: ["group:nobody"] }';
    const found = warned(
      SHOP.replace('protocol: postgres', `protocol: postgres\n    approval: ${wish}`).replace(
        'allow: true',
        `hold: ${wish}`,
      ),
      { SHOP_PASSWORD: 'x' },
    ).join('\n');
    for (const place of ['approval.break_glass[0]', 'hold.break_glass[0]'])
      expect(found).toContain(`${place}: no principal is in a group "nobody"`);
  });

  describe('a setting that was called otherwise', () => {
    const document = readFileSync(join(import.meta.dirname, '../../../docs/renamed.md'), 'utf8');
    const [, table = ''] = document.split('\n## Settings\n');
    const rows = Array.from(
      (table.split('\n## ')[0] ?? '').matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\|$/gm),
      ([, was = '', now = '']) => ({
        was,
        now,
      }),
    );

    test('is in docs/renamed.md', () => {
      const sibling = (was: string, name: string): string => was.replace(/[^.]+$/, name);
      expect(rows).toEqual(Array.from(RENAMED, ([was, name]) => ({ was, now: sibling(was, name) })));
    });

    test.each([
      ['hold: { approvers: ["user:ada"], within: 1m }', '"within" is called "timeout" now.'],
      ['hold: { approvers: ["user:ada"], unanswered: allow }', '"unanswered" is called "on_timeout" now.'],
    ])('is refused with its name: %s', (effect, problem) => {
      const [found = ''] = bad(SHOP.replace('allow: true', effect), { SHOP_PASSWORD: 'x' });
      expect(found).toMatch(new RegExp(`^18:\\d+ {2}policies\\.production\\[1\\]\\.hold\\.\\w+: ${problem}$`));
    });

    test.each([
      ['limits: { recorded: 64KiB }', 'limits.recorded: "recorded" is called "recorded_answer" now.'],
      [
        SHOP.replace('protocol: postgres', 'protocol: postgres\n    approval: { approvers: ["user:ada"], within: 1m }'),
        'connections.shop.approval.within: "within" is called "timeout" now.',
      ],
      // A name that somebody has chosen is nobody's setting.
      ['limits: { within: 1m }', 'limits.within: "within" is not a setting here.'],
    ])('%s', (yaml, problem) => {
      expect(bad(yaml, { SHOP_PASSWORD: 'x' }).join('\n')).toContain(problem);
    });
  });

  test.each([
    [
      'an agent, and nowhere for it to dial in',
      'protocol: postgres',
      'protocol: postgres\n    via: dc1',
      'connections.shop.via: no agent can dial in. Add listeners.agents.',
    ],
    ['a target without a host', 'host: db.internal', 'port: 5432', 'connections.shop.target.host: "host" is missing.'],
    [
      'a policy that is not there',
      '[production]',
      '[prodution]',
      'connections.shop.policies[0]: there is no policy "prodution". Did you mean "production"?',
    ],
    [
      'an agent that is a person',
      'agent:codex',
      'agent:ada',
      'connections.shop.access[1]: "ada" is a person. Write user:ada.',
    ],
    [
      'a kind of access that is not known',
      'agent:codex',
      'team:codex',
      'connections.shop.access[1]: "team:codex" names nobody. Write group:name, user:name, agent:name, claim:name=value or "*".',
    ],
    [
      'a secret that is not there',
      'env:SHOP_PASSWORD',
      'env:OTHER',
      'connections.shop.credential.password: the environment has no OTHER.',
    ],
    [
      'half a secret',
      '"${env:SHOP_PASSWORD}"',
      '"a${env:SHOP_PASSWORD}"',
      'connections.shop.credential.password: a secret reference is the whole value, "${env:NAME}" or "${file:/path}".',
    ],
    [
      'an authority that nobody asks',
      'host: db.internal',
      'host: db.internal, tls: require, ca: /dev/null',
      'connections.shop.target.ca: "ca" is not looked at with "tls: require". Use verify-ca or verify-full.',
    ],
  ])('%s', (_, from, to, problem) => {
    const found = bad(SHOP.replace(from, to), { SHOP_PASSWORD: 'x' });
    expect(found.map((one) => one.replace(/^\d+:\d+ {2}/, ''))).toEqual([problem]);
  });

  test('a secret file that cannot be read', () => {
    const [problem = ''] = bad(SHOP.replace('${env:SHOP_PASSWORD}', '${file:/nowhere/at/all}'));
    expect(problem).toContain('the file /nowhere/at/all cannot be read: there is no such file.');
  });

  test('all mistakes are told at once, in the order of the file', () => {
    const text = SHOP.replace('[production]', '[staging]')
      .replace('mode: observe', 'mode: watch')
      .replace('ada:', 'data: x\n  ada:');
    expect(bad(text).map((one) => one.split(' ')[0])).toEqual(['3:9', '10:43', '12:16', '20:13']);
  });
});

test('a condition is located for whoever compiles it', () => {
  const loaded = parse(SHOP.replaceAll('production', 'prod.eu'), { SHOP_PASSWORD: 'x' });
  if (!loaded.ok) throw new Error('expected a good configuration');
  expect(loaded.locate('policies.prod.eu[0].when')).toEqual({
    file: join(folder, 'sluice.yaml'),
    line: 15,
    column: 13,
  });
  expect(loaded.locate('policies.prod.eu[1].when')).toMatchObject({ line: 17, column: 7 });
  expect(loaded.locate('connections.shop')).toMatchObject({ line: 6, column: 3 });
});

test('the schema for editors describes every section', () => {
  const schema = jsonSchema() as { properties: object; additionalProperties: boolean };
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual([
    'data',
    'listeners',
    'control',
    'limits',
    'record',
    'webhooks',
    'issuers',
    'roles',
    'principals',
    'ssh_user_ca',
    'connections',
    'policies',
  ]);
});

describe('a secret in a file', () => {
  const place = (mode: number): string => {
    const open = mkdtempSync(join(tmpdir(), 'sluice-secret-'));
    onTestFinished(() => rmSync(open, { recursive: true }));
    chmodSync(open, 0o755);
    writeFileSync(join(open, 'secret'), '0123456789abcdef\n');
    chmodSync(join(open, 'secret'), mode);
    return join(open, 'secret');
  };
  const webhook = (file: string): string => `webhooks: [{ url: "https://hooks.example", secret: "\${file:${file}}" }]`;

  test('that everybody on the machine can read is refused', () => {
    const file = place(0o644);
    expect(bad(webhook(file))).toEqual([
      `1:52  webhooks[0].secret: everybody on this machine can read ${file}: chmod o-r it.`,
    ]);
    expect(bad(webhook(place(0o640)))).toEqual([]);
  });

  test('is nobody else’s where they cannot pass the folder', () => {
    const file = place(0o644);
    chmodSync(dirname(file), 0o750);
    expect(bad(webhook(file))).toEqual([]);
  });

  test('may be as it is on a read-only mount, where a container engine put it', () => {
    const mounts = [
      '22 1 0:21 / / rw,relatime - overlay overlay rw',
      '28 22 0:25 / /run/secrets ro,nosuid - tmpfs tmpfs ro',
      '29 22 0:26 / /run/secrets/rw\\040one rw - tmpfs tmpfs rw',
      '30 22 0:27 / /run/secrets/file ro - ext4 /dev/sda ro',
    ].join('\n');
    expect(isMountReadOnly('/run/secrets/db', mounts)).toBe(true);
    expect(isMountReadOnly('/run/secrets/file', mounts)).toBe(true);
    expect(isMountReadOnly('/run/secrets/rw one/db', mounts)).toBe(false);
    expect(isMountReadOnly('/run/secrets-of-others/db', mounts)).toBe(false);
    expect(isMountReadOnly('/etc/sluice/db', mounts)).toBe(false);
  });
});
