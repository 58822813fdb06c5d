import type { Action, Facts, Rule } from '@sluice/contract';
import { threadCpuMs } from '@sluice/testkit/cpu';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type CompiledPolicy, PolicyError, type PolicyProblem, compilePolicy } from '../src/index.js';

const rule = (when: string, path = 'policies.p[0]'): Rule => ({
  rule: 'asked',
  when,
  then: { type: 'deny', message: 'No.' },
  mode: 'enforce',
  path,
});
const select: Action = { statement: 0, depth: 0, verb: 'select', effects: ['read'], resources: [], reasons: [] };
const facts: Facts = { actions: [select], confidence: 'exact', statements: [{ type: 'none' }] };
const context = {
  principal: { name: 'ada', kind: 'person', groups: [], roles: [] },
  connection: { name: 'shop', protocol: 'postgres' },
} as const;
const refuses = (policy: CompiledPolicy, text: string): boolean =>
  policy.judge(facts, text, context).decision.type === 'deny';

function problems(...rules: Rule[]): readonly PolicyProblem[] {
  try {
    compilePolicy(rules);
  } catch (error) {
    if (error instanceof PolicyError) return error.problems;
    throw error;
  }
  return [];
}

describe('a condition that cannot be used is found before it is', () => {
  test.each([
    ['action.verb ==', 'does not parse'],
    ['action.verb = "x"', 'does not parse'],
    ['action.verbb == "x"', 'names what is not there'],
    ['acton.verb == "x"', 'names what is not there'],
    ['action.verb == 1', 'compares what cannot be compared'],
    ['action.verb in "x"', 'compares what cannot be compared'],
    ['action.verb', 'is a text'],
    ['1 + 1', 'is a number'],
    ['', 'is empty'],
    ['command.text.nothing()', 'calls what is not there'],
    ['command.text.matches("(")', 'has a pattern that is none'],
    ['command.text.matches("(?=x)")', 'has a pattern that is not linear'],
  ])('%s: %s', (when) => {
    const [problem] = problems(rule(when));
    expect(problem).toMatchObject({ path: 'policies.p[0].when' });
    expect(problem?.message).not.toBe('');
  });

  test('with the place in it', () => {
    const when = 'action.verb == "x" && action.effects == 1';
    const [problem] = problems(rule(when));
    expect(problem?.offset).toBeGreaterThanOrEqual(when.indexOf('action.effects'));
    expect(problem?.offset).toBeLessThan(when.length);
  });

  test('the place of a bad pattern is the pattern', () => {
    const when = 'action.verb == "x" || command.text.matches("(")';
    expect(problems(rule(when))[0]?.offset).toBe(when.indexOf('"("'));
  });

  test('all of them at once', () => {
    const found = problems(rule('1', 'policies.p[0]'), rule('true', 'policies.p[1]'), rule('nobody', 'policies.p[2]'));
    expect(found.map(({ path }) => path)).toEqual(['policies.p[0].when', 'policies.p[2].when']);
  });

  test('and said in one message', () => {
    expect(() => compilePolicy([rule('1')])).toThrow(/policies\.p\[0\]\.when: .*bool|true or false/);
  });
});

describe('matches', () => {
  test.each([
    ['command.text.matches("(a+)+$")', 'a'.repeat(200_000) + '!'],
    ['command.text.matches("(a|a)*b")', 'a'.repeat(200_000)],
    ['command.text.matches("^(\\\\w+\\\\s?)*$")', 'word '.repeat(40_000) + '!'],
    ['command.text.matches("(.*)(.*)(.*)(.*)x$")', 'y'.repeat(50_000)],
  ])('takes time in proportion to the text: %s', (when, text) => {
    const policy = compilePolicy([rule(when)]);
    const start = threadCpuMs();
    expect(refuses(policy, text)).toBe(false);
    expect(threadCpuMs() - start).toBeLessThan(5_000);
  });

  test('with a pattern that only the facts have', () => {
    const policy = compilePolicy([rule('command.text.matches("(" + action.verb + "+)+$")')]);
    const start = threadCpuMs();
    expect(refuses(policy, `${'select'.repeat(30_000)}!`)).toBe(false);
    expect(refuses(policy, 'selectt')).toBe(true);
    expect(threadCpuMs() - start).toBeLessThan(5_000);
  });

  test.each([
    ['command.text.matches("matches")', 'it matches', true],
    ['"matches" != "" && command.text.matches("a") && command.text.matches("b")', 'ab', true],
    ['command.text.matches("a") && command.text.matches("b")', 'a', false],
    ['[command.text].exists(text, text.matches("^a") || text.matches("z$"))', 'xyz', true],
    ['command.text.matches("a".matches("b") ? "c" : "d")', 'd', true],
    ['!command.text . matches ("x")', 'y', true],
    ['command.text.matches("(?i)DROP")', 'drop', true],
    ['command.text.matches("^$")', '', true],
    ['command.text.matches("\\\\p{L}")', 'é', true],
  ])('finds its calls where they stand: %s of "%s"', (when, text, expected) => {
    expect(refuses(compilePolicy([rule(when)]), text)).toBe(expected);
  });
});

test.each([
  ['action.explain_only', true],
  ['!action.explain_only', false],
])('what is only explained: %s', (when, expected) => {
  const explained: Facts = { ...facts, actions: [{ ...select, verb: 'delete', explainOnly: true }] };
  const { decision } = compilePolicy([rule(when)]).judge(explained, 'x', context);
  expect(decision.type === 'deny').toBe(expected);
});

test.each([
  ['action.lock == "access exclusive" && "orders" in action.locked', true],
  ['action.lock == "share" || "customers" in action.locked', false],
  ['action.rewrites && !action.scans', true],
  ['action.reversible', false],
  ['action.dangers.exists(d, d == "type-rewrites")', true],
])('what a definition costs: %s', (when, expected) => {
  const cost = {
    lock: { mode: 'access exclusive', on: ['orders'] },
    rewrites: true,
    scans: false,
    reversible: false,
    dangers: ['type-rewrites'],
  };
  const altered: Facts = { ...facts, actions: [{ ...select, verb: 'alter table', cost }] };
  const { decision } = compilePolicy([rule(when)]).judge(altered, 'x', context);
  expect(decision.type === 'deny').toBe(expected);
  const plain = compilePolicy([rule('action.lock == "" && action.reversible && !action.rewrites')]);
  expect(plain.judge(facts, 'x', context).decision.type).toBe('deny');
});

test.each([
  [{ resources: ['pg_temp.a'], temporaryTables: ['pg_temp.a'] }, [], true],
  [{ resources: ['a'] }, ['a'], true],
  [{ resources: ['a', 'b'] }, ['a'], false],
  [{ resources: ['public.a'] }, ['a'], false],
  [{ resources: ['a'], statement: 1 }, ['a'], false],
  [{ resources: ['a'], effects: ['unknown'] }, ['a'], false],
  [{ resources: [] }, ['a'], false],
] as const)('what works on tables of the session alone is temporary: %j', (more, own, expected) => {
  const resources = more.resources.map((name) => ({ type: 'table' as const, name, access: 'destroy' as const }));
  const actions = [{ ...select, ...more, resources }];
  const { decision } = compilePolicy([rule('action.temporary')]).judge({ ...facts, actions }, 'x', {
    ...context,
    ownTables: new Set<string>(own),
  });
  expect(decision.type === 'deny' && decision.rule !== 'gateway').toBe(expected);
});

describe('command lines', () => {
  const remove: Action = {
    statement: 0,
    depth: 1,
    verb: 'rm',
    effects: ['destroy'],
    resources: [
      { type: 'program', name: 'rm', access: 'execute' },
      { type: 'file', name: '/srv/app/cache', access: 'destroy' },
      { type: 'host', name: 'backup.example', access: 'execute' },
    ],
    reasons: [],
  };
  const line: Facts = { actions: [remove], confidence: 'parsed', statements: [{ type: 'none' }] };
  const asked = (when: string, command?: { type: 'exec' | 'forward'; account: string; terminal: boolean }): boolean =>
    compilePolicy([rule(when)]).judge(line, 'rm -r /srv/app/cache', { ...context, ...(command && { command }) })
      .decision.type === 'deny';
  const exec = { type: 'exec', account: 'root', terminal: true } as const;

  test.each([
    'command.type == "exec"',
    'command.account == "root" && command.terminal',
    'command.confidence == "parsed"',
    '"rm" in action.programs',
    'action.files.exists(f, f.startsWith("/srv/"))',
    'action.hosts == ["backup.example"]',
    'action.resources.exists(r, r.type == "file" && r.access == "destroy")',
  ])('%s', (when) => {
    expect(asked(when, exec)).toBe(true);
  });

  test('what is not said of a command is empty', () => {
    expect(asked('command.type == "sql" && command.account == "" && !command.terminal')).toBe(true);
    expect(asked('command.type == "exec"')).toBe(false);
    expect(asked('command.account == "root"', { ...exec, account: 'www' })).toBe(false);
  });

  test('a verdict that looks at the account is not kept for another one', () => {
    expect(compilePolicy([rule('command.account == "root"')]).ofFactsAlone).toBe(false);
    expect(compilePolicy([rule('action.verb == "select"')]).ofFactsAlone).toBe(true);
  });
});

describe('the time', () => {
  const at = (when: string, now: string): boolean => {
    const { decision } = compilePolicy([rule(when)]).judge(facts, '', { ...context, now: new Date(now) });
    return decision.type === 'deny' && decision.cause === 'rule';
  };

  test.each([
    ['now.day == "monday" && now.hour == 23 && now.minute == 30 && now.zone == "UTC"', '2026-11-30T23:30:00Z'],
    ['now.at("Europe/Berlin").day == "tuesday" && now.at("Europe/Berlin").hour == 0', '2026-11-30T23:30:00Z'],
    ['now.at("Europe/Berlin").date == "2026-12-01"', '2026-11-30T23:30:00Z'],
    ['now.at("America/New_York").hour == 18 && now.date == "2026-11-30"', '2026-11-30T23:30:00Z'],
    // The hour that is there twice, and midnight.
    ['now.at("Europe/Berlin").hour == 2', '2026-10-25T00:30:00Z'],
    ['now.at("Europe/Berlin").hour == 2', '2026-10-25T01:30:00Z'],
    ['now.hour == 0', '2026-11-30T00:00:00Z'],
  ])('%s at %s', (when, now) => expect(at(when, now)).toBe(true));

  test('a zone that is not there is found before it is asked for, and else refuses', () => {
    const when = 'now.hour < 8 || now.at("Europe/Berlim").hour < 8';
    expect(problems(rule(when))).toMatchObject([{ offset: when.indexOf('"Europe/Berlim"') }]);
    expect(refuses(compilePolicy([rule('now.at(principal.name).hour < 8')]), '')).toBe(true);
  });

  test('a verdict that looks at the clock is for that moment only', () => {
    vi.useFakeTimers();
    const policy = compilePolicy([rule('now.at("Europe/Berlin").hour < 8')]);
    expect(policy.ofFactsAlone).toBe(false);
    vi.setSystemTime('2026-11-30T06:59:59Z');
    expect(refuses(policy, '')).toBe(true);
    vi.setSystemTime('2026-11-30T07:00:00Z');
    expect(refuses(policy, '')).toBe(false);
  });

  test('all rules of a command ask about one moment', () => {
    vi.useFakeTimers({ now: new Date('2026-11-30T23:59:59Z') });
    const policy = compilePolicy([
      rule('now.hour != 23'),
      rule('principal.name != "ada" || now.at("UTC").hour != 23 || now.at("Europe/Berlin").hour != 0'),
    ]);
    const principal = {
      ...context.principal,
      get name() {
        vi.setSystemTime('2026-12-01T00:00:00Z');
        return 'ada';
      },
    };
    const { decision } = policy.judge(facts, '', { ...context, principal });
    expect(decision).not.toMatchObject({ cause: 'rule' });
  });
  afterEach(() => vi.useRealTimers());
});
