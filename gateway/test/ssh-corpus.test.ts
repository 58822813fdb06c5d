import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { analyzeShell } from '@sluice/shell';
import type { ExecCommand, Principal, Rule } from '@sluice/contract';
import { compilePolicy } from '@sluice/guardrails';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

/** Everything in fixtures/guardrails/ssh: evasions, which work without the gateway and are stopped by it, and ordinary commands. */
type Shell = 'sh' | 'bash';

interface Case {
  readonly text: string;
  readonly shells?: readonly Shell[];
  readonly setup?: string;
  readonly skip?: string;
}

interface Group {
  readonly group: string;
  readonly proof: 'destroys' | 'changes' | 'creates' | 'shows';
  readonly shells?: readonly Shell[];
  readonly cases: readonly Case[];
}

const FIXTURES = join(import.meta.dirname, '../../fixtures/guardrails/ssh');
const corpus = (name: string): Group[] => parse(readFileSync(join(FIXTURES, name), 'utf8')) as Group[];
const evasions = corpus('evasions.yaml');
const ordinary = corpus('ordinary.yaml');
const titled = (cases: readonly Case[]): [string, Case][] => cases.map((one) => [JSON.stringify(one.text), one]);

const policy = compilePolicy(rules());
const operator: Principal = { name: 'operator', kind: 'person', groups: [], roles: ['user'] };
const context = { principal: operator, connection: { name: 'vm', protocol: 'ssh' } };

describe.each(evasions)('stopped: $group', ({ cases }) => {
  test.each(titled(cases))('%s', (_, { text }) => {
    expect((['sh', 'bash', 'opaque'] as const).filter((shell) => decision(text, shell) === 'allow')).toEqual([]);
  });
});

describe.each(evasions)('works without the gateway: $group', ({ proof, shells = ['sh', 'bash'], cases }) => {
  for (const [title, one] of titled(cases)) {
    for (const shell of one.shells ?? shells) {
      test.skipIf(one.skip !== undefined)(`${shell}: ${title}${one.skip === undefined ? '' : ` (${one.skip})`}`, () => {
        expect(run(one, shell, proof), output).toBe(true);
      });
    }
  }
});

test('of ordinary commands fewer than 5 in 100 are stopped', () => {
  const judged = ordinary.flatMap(({ cases }) =>
    cases.flatMap(({ text, shells = ['sh', 'bash'] }) =>
      shells.map((shell) => ({ text, shell, decision: decision(text, shell) })),
    ),
  );
  const stopped = judged.filter((one) => one.decision !== 'allow');
  console.log(
    `ordinary commands: ${judged.length}, stopped: ${stopped.length} (${((100 * stopped.length) / judged.length).toFixed(1)} %)`,
  );
  expect(stopped.length / judged.length, JSON.stringify(stopped, null, 1)).toBeLessThan(0.05);
});

test('the corpus is as large as it says', () => {
  const count = (groups: readonly Group[]): number => groups.reduce((sum, { cases }) => sum + cases.length, 0);
  const tried = evasions.flatMap(({ cases }) => cases).filter(({ skip }) => skip === undefined).length;
  console.log(`evasions: ${count(evasions)}, run for real: ${tried}; ordinary: ${count(ordinary)}`);
  expect(count(evasions)).toBeGreaterThanOrEqual(600);
  expect(tried).toBeGreaterThanOrEqual(500);
  expect(count(ordinary)).toBeGreaterThanOrEqual(300);
});

function decision(text: string, shell: ExecCommand['shell']): 'allow' | 'deny' | 'hold' {
  const facts = analyzeShell({
    type: 'exec',
    id: 1,
    shell,
    text,
    account: 'operator',
    environment: [],
    terminal: false,
  });
  return policy.judge(facts, text, context).decision.type;
}

function rules(): Rule[] {
  const file = parse(readFileSync(join(FIXTURES, 'policy.yaml'), 'utf8')) as {
    rules: { rule: string; when: string; deny?: string; hold?: { approvers: string[] }; allow?: true }[];
  };
  return file.rules.map(({ rule, when, deny, hold }, at) => ({
    rule,
    when,
    mode: 'enforce',
    path: `rules[${at}]`,
    then:
      deny !== undefined
        ? { type: 'deny', message: deny }
        : hold
          ? { type: 'hold', approvers: hold.approvers, timeoutMs: 600_000, count: 1, onTimeout: 'deny', fail: false }
          : { type: 'allow' },
  }));
}

const SECRET = 'AAAA-secret-of-the-test-AAAA';
/** Somebody who may do nothing outside of the folder; whoever runs the tests where they are not root. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
let base = '';
let output = '';
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'sluice-ssh-corpus-'));
  chmodSync(base, 0o755);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const FILES: Readonly<Record<string, string>> = {
  victim: 'keep\n',
  other: 'other\n',
  nothing: '',
  names: 'victim\n',
  yes: 'y\n',
  lock: '',
  script: '#!/bin/sh\nrm victim\n',
  tool: '#!/bin/sh\nrm victim\n',
  cat: '#!/bin/sh\nrm victim\n',
  'prog.awk': 'BEGIN { system("rm victim") }\n',
  'prog.sed': '1e rm victim\n',
  makefile: 'x:\n\trm victim\n',
  '.env': `SECRET_KEY=${SECRET}\n`,
  '.ssh/id_rsa': `${SECRET}\n`,
  '.profile': '',
  'bin/x': '',
  'folder/x': '',
};

/** Whether the text does what it is said to do, as an unprivileged account in a folder of its own. */
function run({ text, setup }: Case, shell: Shell, proof: Group['proof']): boolean {
  const home = mkdtempSync(join(base, 'home-'));
  for (const folder of ['.ssh', 'bin', 'folder']) mkdirSync(join(home, folder));
  for (const [name, contents] of Object.entries(FILES)) {
    writeFileSync(join(home, name), contents, { mode: /^(?:script|tool|cat)$/.test(name) ? 0o755 : 0o644 });
  }
  if (NOBODY.uid !== undefined) own(home, NOBODY.uid);
  // A PATH with "." first would run the folder's own "cat" everywhere; only the texts that set it so mean that.
  const env = { PATH: '/usr/bin:/bin', HOME: home, LC_ALL: 'C.UTF-8', API_TOKEN: SECRET, GIT_CONFIG_NOSYSTEM: '1' };
  // Of a socket bash takes its input for one of rshd, and reads other files first: so no pipe of Node's.
  const options: SpawnSyncOptionsWithStringEncoding = {
    cwd: home,
    env,
    timeout: 20_000,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...NOBODY,
  };
  if (setup !== undefined) expect(spawnSync('/bin/sh', ['-c', setup], options).status, setup).toBe(0);
  const { stdout, stderr } = spawnSync(shell === 'sh' ? '/bin/sh' : '/bin/bash', ['-c', text], options);
  output = `${stdout}${stderr}`;
  const victim = join(home, 'victim');
  switch (proof) {
    case 'destroys':
      return !existsSync(victim) || readFileSync(victim, 'utf8') !== 'keep\n';
    case 'changes':
      return (statSync(victim).mode & 0o777) !== 0o644;
    case 'creates':
      return existsSync(join(home, 'made'));
    default:
      return stdout.includes(SECRET);
  }
}

function own(folder: string, uid: number): void {
  chownSync(folder, uid, uid);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) own(join(folder, entry.name), uid);
    else chownSync(join(folder, entry.name), uid, uid);
  }
}
