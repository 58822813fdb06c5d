import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPool } from '@sluice/analysis';
import { PostgresLanguage, WORKER } from '@sluice/sql-postgres';
import type { Answer, Command, Principal, Rule } from '@sluice/contract';
import { compilePolicy } from '@sluice/guardrails';
import { redactSecrets } from '@sluice/recording';
import { temporaryFolder } from '@sluice/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { testPolicy } from '@sluice/policy-trial';
import { readConfiguration } from '../src/configuration.js';
import { explainShell } from '@sluice/control';
import { Judge } from '@sluice/judging';

/** Requests of SSH clients: facts, rules, and masks for what is printed. */
const pool = openPool(WORKER);
const languages = new Map([['postgres', await PostgresLanguage.open(pool)]]);
afterAll(() => pool.close());
const principal: Principal = { name: 'ada', kind: 'person', groups: [], roles: ['user'] };
const context = { principal, connection: { name: 'vm', protocol: 'ssh' } };
const rule = (name: string, then: Rule['then'], when?: string): Rule => ({
  rule: name,
  then,
  mode: 'enforce',
  path: name,
  ...(when !== undefined && { when }),
});
const MASK = rule('keys', { type: 'mask', columns: [], detect: ['api_key'], with: { type: 'redact' } });
const KEY = Buffer.alloc(32, 7);

function ask(command: Command, rules: readonly Rule[], key: Uint8Array | undefined = KEY): Answer {
  const policy = compilePolicy([...rules]);
  const judgement = new Judge({ languages, policy, context, redact: (text) => text, streamKey: key }).judge(command);
  if (judgement instanceof Promise) throw new Error('this has nothing to wait for');
  return judgement.answer;
}

const exec = (text: string): Command => ({
  type: 'exec',
  id: 1,
  shell: 'sh',
  text,
  account: 'root',
  environment: [],
  terminal: false,
});
const sftp: Command = { type: 'subsystem', id: 1, text: 'sftp', account: 'root' };
const shell: Command = {
  type: 'shell',
  id: 1,
  shell: 'bash',
  text: '',
  account: 'root',
  environment: [],
  terminal: true,
};

describe('requests', () => {
  test('what only reads passes, what is unknown does not', () => {
    expect(ask(exec('ls -la'), [])).toMatchObject({ type: 'allow', facts: { confidence: 'parsed' } });
    expect(ask(exec('$x'), [])).toMatchObject({ type: 'deny', rule: 'gateway' });
    expect(ask(shell, [])).toMatchObject({ type: 'deny', message: expect.stringContaining('typed') });
    expect(ask(shell, [rule('terminals', { type: 'allow' }, 'command.type == "shell"')]).type).toBe('allow');
    expect(
      ask({ type: 'forward', id: 1, kind: 'local', text: 'x', account: 'root', host: 'db', port: 5432 }, []).type,
    ).toBe('deny');
    expect(
      ask({ type: 'forward', id: 1, kind: 'local', text: 'x', account: 'root', host: 'db', port: 5432 }, [
        rule('database', { type: 'allow' }, '"db:5432" in action.hosts'),
      ]).type,
    ).toBe('allow');
  });

  test('approvers see the text as it would run', () => {
    const holding = [
      rule('looked-at', {
        type: 'hold',
        approvers: ['group:x'],
        timeoutMs: 1_000,
        count: 1,
        onTimeout: 'deny',
        fail: false,
      }),
    ];
    const text = "echo alter role x password 'y' >> log";
    const judge = new Judge({
      languages,
      policy: compilePolicy(holding),
      context,
      redact: (sql) => redactSecrets(sql, KEY),
    });
    expect(judge.judge(exec(text))).toMatchObject({ held: { text }, record: expect.stringContaining(text) });
    // The same words in SQL are not shown.
    expect(redactSecrets("alter role x password 'y'", KEY)).not.toContain("'y'");
  });

  test('a line in a terminal that matches a hold is held, whatever else is not known about it', () => {
    const hold: Rule['then'] = {
      type: 'hold',
      approvers: ['group:x'],
      timeoutMs: 1_000,
      count: 1,
      onTimeout: 'deny',
      fail: false,
    };
    const rules = [
      rule('shells', { type: 'allow' }, 'action.verb == "shell"'),
      rule('lines', hold, 'command.type == "shell" && action.verb != "shell"'),
    ];
    const judged = (text: string, by: readonly Rule[]) =>
      new Judge({ languages, policy: compilePolicy([...by]), context, redact: (one) => one }).judge({
        ...shell,
        text,
      } as Command);
    for (const text of ['touch x', 'python3 -c "x"', './script.sh', 'bash', 'vi notes', '$x', 'a; (']) {
      expect(judged(text, rules), text).toMatchObject({ answer: { type: 'allow' }, held: { text } });
      // Nothing but what is not known: a line off a screen is not refused for that.
      expect(judged(text, rules.slice(0, 1)), text).not.toHaveProperty('held');
      expect(judged(text, rules.slice(0, 1)), text).toMatchObject({ answer: { type: 'allow' } });
      // A rule that refuses goes before one that holds.
      const refusing = [...rules, rule('none', { type: 'deny', message: 'No.' }, 'action.verb != "shell"')];
      expect(judged(text, refusing), text).toMatchObject({ answer: { type: 'deny', rule: 'none' } });
    }
  });

  test('rules see the account and the kind', () => {
    const rules = [
      rule('no-root', { type: 'deny', message: 'Not as root.' }, 'command.account == "root" && command.type == "exec"'),
    ];
    expect(ask(exec('ls'), rules)).toMatchObject({ type: 'deny', rule: 'no-root' });
    expect(ask({ ...exec('ls'), account: 'www' } as Command, rules).type).toBe('allow');
  });
});

describe('masks', () => {
  test('what is printed goes through an editor of its own for each stream', () => {
    const answer = ask(exec('cat app.log'), [MASK]);
    if (answer.type !== 'allow' || !answer.stream) throw new Error('there is no editor');
    const [out, err] = [answer.stream(), answer.stream()];
    const half = Buffer.from('key ghp_a1B2c3D4e5F6g7H8');
    expect(out.push(half).toString()).toBe('key ');
    expect(err.push(Buffer.from('nothing\n')).toString()).toBe('nothing\n');
    expect(out.push(Buffer.from('i9J0k1L2m3N4o5P6q7R8\n')).toString()).toBe('[masked:API_KEY]\n');
  });

  test('without the means to mask nothing runs', () => {
    const judge = new Judge({ languages, policy: compilePolicy([MASK]), context, redact: (text) => text });
    expect(judge.judge(exec('cat app.log'))).toMatchObject({ answer: { type: 'deny' } });
  });

  test('copies are refused unless a rule admits them', () => {
    // It may do anything to files, and what it does is not looked at.
    expect(ask(sftp, [])).toMatchObject({ type: 'deny', message: expect.stringContaining('sftp') });
    expect(ask(exec('scp -f app.log'), []).type).toBe('allow');
    expect(ask(sftp, [MASK])).toMatchObject({ type: 'deny', rule: 'gateway' });
    expect(ask(exec('scp -f app.log'), [MASK]).type).toBe('deny');
    expect(ask(sftp, [MASK, rule('copies', { type: 'allow' }, 'action.effects.exists(e, e == "transfer")')]).type).toBe(
      'allow',
    );
  });
});

describe('a rule holds for copies as for commands', () => {
  const copies = rule('copies', { type: 'allow' }, '"transfer" in action.effects');
  const on = (effect: string): Rule =>
    rule(effect, { type: 'deny', message: `No ${effect}.` }, `"${effect}" in action.effects`);
  test.each<[effect: string, command: Command]>([
    ['destroy', sftp],
    ['write', sftp],
    ['secret', sftp],
    ['destroy', exec('scp -t existing')],
    ['grant', exec('scp -t .ssh/authorized_keys')],
    ['grant', exec('scp -r -t .')],
    ['secret', exec('scp -f .env')],
    ['secret', exec('rsync --server --sender -logDtpre.iLsfxC . .ssh/id_rsa')],
    ['destroy', exec('rsync --server -logDtpre.iLsfxC . /srv')],
    ['destroy', exec("git-receive-pack '/srv/r.git'")],
    ['destroy', exec('git push origin :main')],
  ])('%s: %o', (effect, command) => {
    expect(ask(command, [copies, on(effect)])).toMatchObject({ type: 'deny', rule: effect });
    expect(ask(command, [copies]).type).toBe('allow');
  });
});

describe('a copy beside another command', () => {
  const all = rule('anything', { type: 'allow' });

  test.each(['cat app.log; scp -f app.log', 'scp -f app.log & cat app.log', 'git-upload-pack x || cat app.log'])(
    'takes its mask from nothing: %s',
    (text) => {
      const answer = ask(exec(text), [MASK, all]);
      if (answer.type !== 'allow' || !answer.stream) throw new Error('nothing is masked');
      expect(answer.stream().push(Buffer.from('key ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n')).toString()).toBe(
        'key [masked:API_KEY]\n',
      );
    },
  );

  test('copies alone are given out as they are', () => {
    const answer = ask(exec('scp -f app.log'), [MASK, all]);
    expect(answer).toMatchObject({ type: 'allow' });
    expect(answer).not.toHaveProperty('stream');
  });
});

describe('without a host', () => {
  const rules = [rule('no-removal', { type: 'deny', message: 'Nothing is removed.' }, '"destroy" in action.effects')];

  test('a command line is explained', () => {
    const explained = explainShell('bash', compilePolicy(rules), "find . -name '*.log' -delete", context);
    expect(explained).toMatchObject({ decision: 'deny', rule: 'no-removal' });
    expect(explained.text).toContain('destroy file .');
    expect(explainShell('sh', compilePolicy(rules), 'ls', context).decision).toBe('allow');
    expect(explainShell('opaque', compilePolicy(rules), 'ls', context).decision).toBe('deny');
  });

  test('cases of a file may be command lines', async () => {
    const folder = temporaryFolder('cases');
    const [cases, config] = [join(folder.path, 'cases.yaml'), join(folder.path, 'sluice.yaml')];
    writeFileSync(
      config,
      `connections:
  vm:
    protocol: postgres
    target: { host: 127.0.0.1, port: 1, database: x, tls: disable }
    credential: { user: x }
    access: ["ada"]
    policies: [machines]
listeners: { postgres: { port: 0 } }
principals: { ada: {} }
policies:
  machines:
    - { rule: no-root, when: 'command.account == "root"', deny: Not as root. }
`,
    );
    const run = (text: string): Promise<number> => {
      writeFileSync(cases, `cases:\n  - ${text}\n`);
      return testPolicy(cases, readConfiguration(config).config, 'json');
    };
    expect(await run('{ connection: vm, command: "ls", account: root, expect: deny, rule: no-root }')).toBe(0);
    expect(await run('{ connection: vm, command: "ls", shell: sh, account: www, expect: allow }')).toBe(0);
    expect(await run('{ connection: vm, command: "$x", expect: allow }')).toBe(1);
    expect(await run('{ connection: vm, sql: "select 1", expect: allow }')).toBe(0);
    await expect(run('{ connection: vm, expect: allow }')).rejects.toThrow(/one of/);
    folder.remove();
  });
});

test('a text that is longer than limits.text is refused, and another is judged', () => {
  const judge = new Judge({ languages, policy: compilePolicy([]), context, redact: (text) => text, maxText: 20 });
  const sql = (text: string): Command => ({
    type: 'sql',
    id: 1,
    phase: 'run',
    dialect: { name: 'postgres', major: 18 },
    text,
  });
  expect(judge.judge(sql('select 1'))).toMatchObject({ answer: { type: 'allow' } });
  expect(judge.judge(sql('select 1, 2, 3, 4, 5, 6'))).toMatchObject({
    answer: { type: 'deny', message: expect.stringContaining('longer than limits.text') },
  });
});
