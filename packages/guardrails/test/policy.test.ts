import type { Action, Facts, Principal, Rule } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { GATEWAY, type PolicyContext, type Verdict, compilePolicy } from '../src/index.js';

const person: Principal = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['user'] };
const agent: Principal = { name: 'bot', kind: 'agent', groups: ['agents'], roles: [] };
const context: PolicyContext = { principal: person, connection: { name: 'shop', protocol: 'postgres' } };

const action = (changes: Partial<Action> = {}): Action => ({
  statement: 0,
  depth: 0,
  verb: 'select',
  effects: ['read'],
  resources: [],
  reasons: [],
  ...changes,
});
const facts = (actions: readonly Action[], changes: Partial<Facts> = {}): Facts => ({
  actions,
  confidence: 'exact',
  statements: actions.map(() => ({ type: 'none' })),
  ...changes,
});
const deny = (rule: string, when?: string, changes: Partial<Rule> = {}): Rule => ({
  rule,
  ...(when !== undefined && { when }),
  then: { type: 'deny', message: `No: ${rule}.` },
  mode: 'enforce',
  path: `policies.test[${rule}]`,
  ...changes,
});
const allow = (rule: string, when?: string): Rule => deny(rule, when, { then: { type: 'allow' } });
const judge = (
  rules: readonly Rule[],
  of: Facts,
  { text = '', trusted = [] as string[], as = context } = {},
): Verdict => compilePolicy(rules, { trustedFunctions: trusted }).judge(of, text, as);

const drop = action({ verb: 'drop table', effects: ['destroy', 'define'] });
const unknown = action({
  verb: 'do',
  effects: ['execute', 'unknown'],
  reasons: ['brings code that runs later, unseen'],
});
const calling = action({
  effects: ['read', 'unknown'],
  reasons: ['calls f, which is not on the list of trusted functions'],
  unknownFunctions: ['f', 's.g'],
});
const watched = (rule: Rule): Rule => ({ ...rule, mode: 'observe' });

describe('without rules', () => {
  test('what is known passes', () => {
    expect(judge([], facts([action(), drop]))).toEqual({
      decision: { type: 'allow' },
      holds: [],
      matched: [],
      masks: [],
      budgets: [],
      bounds: [],
    });
  });

  test('what was not prepared is to be prepared, and no administrator is asked', () => {
    const reason = 'executes "p", and no such prepared statement is known';
    const execute = action({ verb: 'execute', effects: ['session', 'unknown'], reasons: [reason] });
    expect(judge([], facts([execute])).decision).toMatchObject({
      type: 'deny',
      hint: 'Prepare it in this session first, under this name.',
    });
    const more = { ...execute, reasons: [reason, 'calls f'] };
    expect(judge([], facts([more])).decision).toMatchObject({
      hint: expect.stringContaining('"allow" rule') as string,
    });
  });

  test('what is unknown does not, and the sentence says why', () => {
    expect(judge([], facts([action(), unknown])).decision).toMatchObject({
      type: 'deny',
      rule: GATEWAY,
      message: 'This do brings code that runs later, unseen.',
    });
  });

  test('no action at all is nothing to refuse', () => {
    expect(judge([deny('all')], facts([])).decision.type).toBe('allow');
  });
});

describe('several rules and several actions', () => {
  const destroys = deny('destroys', '"destroy" in action.effects');

  test('one action that is refused refuses the command', () => {
    expect(judge([destroys], facts([action(), drop, action()])).decision).toMatchObject({ rule: 'destroys' });
  });

  test('a refusal is stronger than an allow, in either order', () => {
    for (const rules of [
      [allow('open'), destroys],
      [destroys, allow('open')],
    ])
      expect(judge(rules, facts([drop])).decision).toMatchObject({ type: 'deny', rule: 'destroys' });
  });

  test('of two that refuse an action the first gives the sentence, and both are on record', () => {
    const verdict = judge([deny('one'), deny('two')], facts([drop]));
    expect(verdict.decision).toMatchObject({ rule: 'one', message: 'No: one.' });
    expect(verdict.matched.map(({ rule }) => rule)).toEqual(['one', 'two']);
  });

  test('a rule gives the sentence rather than the gateway', () => {
    expect(judge([destroys], facts([unknown, drop])).decision).toMatchObject({ rule: 'destroys' });
    expect(judge([destroys], facts([drop, unknown])).decision).toMatchObject({ rule: 'destroys' });
  });

  test('a rule that matches twice is on record once', () => {
    expect(judge([destroys], facts([drop, drop])).matched).toEqual([
      { rule: 'destroys', effect: 'deny', observed: false },
    ]);
  });

  test('a rule without a condition is about everything', () => {
    expect(judge([deny('all')], facts([action()])).decision).toMatchObject({ rule: 'all' });
  });
});

describe('observe', () => {
  test('records and does not refuse', () => {
    expect(judge([watched(deny('all'))], facts([drop]))).toEqual({
      decision: { type: 'allow' },
      holds: [],
      matched: [{ rule: 'all', effect: 'deny', observed: true }],
      masks: [],
      budgets: [],
      bounds: [],
    });
  });

  test('does not admit what is unknown either', () => {
    expect(judge([watched(allow('open'))], facts([unknown])).decision).toMatchObject({ type: 'deny', rule: GATEWAY });
  });
});

describe('what is unknown', () => {
  test('is admitted by an allow rule, for the actions that it matches only', () => {
    const open = allow('open', 'action.verb == "do"');
    expect(judge([open], facts([unknown])).decision.type).toBe('allow');
    expect(judge([open], facts([unknown, calling])).decision).toMatchObject({ type: 'deny', rule: GATEWAY });
    expect(judge([open], facts([calling, unknown])).decision).toMatchObject({ type: 'deny', rule: GATEWAY });
  });

  test('is admitted when every function in it is trusted', () => {
    expect(judge([], facts([calling]), { trusted: ['f', 's.g'] }).decision.type).toBe('allow');
    expect(judge([], facts([calling]), { trusted: ['f', 'g'] }).decision.type).toBe('deny');
    expect(judge([], facts([calling]), { trusted: ['F', 'S.G'] }).decision.type).toBe('deny');
    expect(judge([], facts([unknown]), { trusted: ['do'] }).decision.type).toBe('deny');
  });

  test('is explained with what an administrator can do', () => {
    expect(judge([], facts([calling])).decision).toMatchObject({
      hint: expect.stringContaining('functions.trusted: f, s.g'),
    });
    expect(judge([], facts([unknown])).decision).toMatchObject({ hint: expect.stringContaining('"allow" rule') });
  });

  test('trust does not stand against a rule', () => {
    expect(judge([deny('all')], facts([calling]), { trusted: ['f', 's.g'] }).decision).toMatchObject({ rule: 'all' });
  });
});

describe('what no rule can allow', () => {
  test('a setting that the gateway depends on', () => {
    const of = facts([action()], { forbidden: 'That setting cannot change.' });
    expect(judge([allow('open')], of)).toEqual({
      decision: { type: 'deny', rule: GATEWAY, message: 'That setting cannot change.', cause: 'unjudged' },
      holds: [],
      matched: [],
      masks: [],
      budgets: [],
      bounds: [],
    });
  });

  test('a text that is not of the language', () => {
    const of = facts([unknown], { confidence: 'opaque', syntaxError: { message: 'syntax error at or near "x"' } });
    expect(judge([allow('open')], of).decision).toMatchObject({
      rule: GATEWAY,
      message: 'syntax error at or near "x"',
    });
  });
});

describe('what a condition can ask about', () => {
  const table = action({
    verb: 'delete',
    effects: ['write'],
    filter: 'weak',
    depth: 1,
    reasons: ['x'],
    resources: [
      { type: 'table', name: 'public.customers', access: 'write' },
      { type: 'function', name: 'lower', access: 'execute' },
    ],
  });

  test.each([
    'action.verb == "delete"',
    'action.effects.exists(e, e in ["write", "define"])',
    '"public.customers" in action.tables',
    'action.functions == ["lower"]',
    'action.resources.exists(r, r.type == "table" && r.access == "write")',
    'action.filter != "strong"',
    'action.depth > 0',
    'size(action.reasons) == 1',
    'command.text.startsWith("DELETE")',
    'command.text.contains("customers")',
    'command.text.matches("(?i)from\\\\s+customers")',
    'command.confidence == "exact"',
    'principal.name == "ada" && principal.kind == "person"',
    '"engineers" in principal.groups && "user" in principal.roles',
    'connection.name == "shop" && connection.protocol == "postgres"',
  ])('%s', (when) => {
    expect(judge([deny('asked', when)], facts([table]), { text: 'DELETE FROM customers' }).decision.type).toBe('deny');
    expect(judge([deny('asked', `!(${when})`)], facts([table]), { text: 'DELETE FROM customers' }).decision.type).toBe(
      'allow',
    );
  });

  test('a verb without a filter has an empty one', () => {
    expect(judge([deny('asked', 'action.filter == ""')], facts([action()])).decision.type).toBe('deny');
  });

  test('who asks', () => {
    const rules = [deny('agents', 'principal.kind == "agent"')];
    expect(judge(rules, facts([action()])).decision.type).toBe('allow');
    expect(judge(rules, facts([action()]), { as: { ...context, principal: agent } }).decision.type).toBe('deny');
  });
});

describe('judge never throws', () => {
  test.each([
    'action.tables[0] == "x"',
    'action.resources[3].name == "x"',
    '1 / size(action.tables) == 1',
    'command.text.matches(action.verb + "(")',
    'int(command.text) == 1',
    'action.resources.exists(r, r.nothing == "x")',
  ])('what cannot be answered is a no: %s', (when) => {
    const verdict = judge(
      [allow('open'), deny('asked', when)],
      facts([action({ resources: [{ type: 'role', name: 'r', access: 'read' }] })]),
      { text: 'x' },
    );
    expect(verdict.decision.type).toBe('deny');
  });

  test('facts that are not what they should be', () => {
    for (const broken of [{}, { actions: null }, { actions: [null] }, { actions: [{}] }, null])
      expect(judge([deny('asked', 'action.verb == "x"')], broken as unknown as Facts).decision).toMatchObject({
        type: 'deny',
        rule: GATEWAY,
      });
  });
});

describe('masks', () => {
  const mask = (name: string, more: Partial<Rule> = {}): Rule => ({
    rule: name,
    then: { type: 'mask', columns: ['customers.email'], detect: [], with: { type: 'redact' } },
    mode: 'enforce',
    path: 'p',
    ...more,
  });
  const policy = (...rules: Rule[]) => compilePolicy(rules);
  const moved = { ...context, masked: { asked: ['other'], moved: ['table'] } };

  test('of all rules that match apply, to what is let through', () => {
    const verdict = policy(mask('one'), mask('other', { when: 'principal.kind == "agent"' })).judge(
      facts([action()]),
      '',
      context,
    );
    expect(verdict).toMatchObject({
      decision: { type: 'allow' },
      masks: [{ rule: 'one', columns: ['customers.email'] }],
    });
    expect(verdict.matched).toEqual([{ rule: 'one', effect: 'mask', observed: false }]);
  });

  test('two rules of one name, from two policies, mask both', () => {
    const twice = policy(
      mask('pii'),
      mask('pii', { path: 'q', then: { ...mask('pii').then, columns: ['a.b'] } as Rule['then'] }),
    );
    const { masks } = twice.judge(facts([action()]), '', context);
    expect(masks.flatMap(({ columns }) => columns)).toEqual(['customers.email', 'a.b']);
  });

  test('one that is only observed masks nothing', () => {
    expect(policy(mask('one', { mode: 'observe' })).masks).toBe(false);
    expect(policy(mask('one', { mode: 'observe' })).judge(facts([action()]), '', context).masks).toEqual([]);
  });

  test('what would get rid of a mask is refused, unless a rule admits it', () => {
    expect(policy(mask('one')).judge(facts([action()]), '', moved).decision).toMatchObject({
      type: 'deny',
      rule: 'gateway',
    });
    const admitted = mask('copying', { when: '"table" in masked.moved', then: { type: 'allow' } });
    expect(policy(mask('one'), admitted).judge(facts([action()]), '', moved).decision).toEqual({ type: 'allow' });
  });

  test('rules see how often somebody has guessed, and nothing where nobody has', () => {
    const few = mask('guessing', { when: 'masked.guesses > 50', then: { type: 'deny', message: 'No.' } });
    const guessed = (guesses: number): string =>
      policy(few).judge(facts([action()]), '', { ...context, masked: { asked: ['equality'], moved: [], guesses } })
        .decision.type;
    expect([guessed(50), guessed(51)]).toEqual(['allow', 'deny']);
    expect(policy(few).judge(facts([action()]), '', context).decision.type).toBe('allow');
  });

  test('rules see how conditions look at masked columns', () => {
    const strict = mask('probing', { when: '"other" in masked.asked', then: { type: 'deny', message: 'No.' } });
    const asking = { ...context, masked: { asked: ['equality'], moved: [] } };
    expect(policy(strict).judge(facts([action()]), '', asking).decision).toEqual({ type: 'allow' });
    expect(policy(strict).judge(facts([action()]), '', moved).decision).toMatchObject({ rule: 'probing' });
  });
});

describe('holds', () => {
  const hold = (rule: string, when?: string, changes: Partial<Rule> = {}): Rule =>
    deny(rule, when, {
      then: { type: 'hold', approvers: ['group:dba'], timeoutMs: 1000, count: 1, onTimeout: 'deny', fail: false },
      ...changes,
    });

  test('of deny, hold and allow the strictest wins, wherever it stands', () => {
    for (const rules of [
      [hold('h'), deny('d'), allow('a')],
      [allow('a'), deny('d'), hold('h')],
    ])
      expect(judge(rules, facts([drop])).decision).toMatchObject({ type: 'deny', rule: 'd' });
    expect(judge([allow('a'), hold('h')], facts([drop])).decision).toMatchObject({ type: 'hold' });
  });

  test('every rule that holds is named, of every action; one that only observes is not', () => {
    const rules = [hold('one', 'action.verb == "select"'), hold('two', 'action.verb == "drop table"')];
    const { decision, matched } = judge(
      [...rules, hold('three', undefined, { mode: 'observe' })],
      facts([action(), drop]),
    );
    expect(decision.type === 'hold' ? decision.holds.map(({ rule }) => rule) : []).toEqual(['one', 'two']);
    expect(matched.map(({ rule, observed }) => [rule, observed])).toEqual(
      expect.arrayContaining([
        ['one', false],
        ['two', false],
        ['three', true],
      ]),
    );
  });

  test('what people look at before COMMIT runs, unless a ROLLBACK would leave something of it', () => {
    const looked = deny('looked', undefined, {
      then: { type: 'hold_commit', approvers: ['group:dba'], timeoutMs: 1, count: 1, onTimeout: 'deny', fail: false },
    });
    const { decision, reviews, holds } = judge([looked], facts([drop]));
    expect([decision.type, reviews?.map(({ rule }) => rule), holds]).toEqual(['allow', ['looked'], []]);
    // What changes nothing is not looked at.
    for (const one of [
      action(),
      action({ verb: 'begin', effects: ['session'] }),
      { ...drop, explainOnly: true as const },
    ])
      expect(judge([looked], facts([one]))).not.toHaveProperty('reviews');
    const left = (changes: Partial<Action>): string => {
      const { decision: said } = judge([looked, allow('a')], facts([action(changes)]));
      return said.type === 'deny' ? said.message : said.type;
    };
    expect(left({ verb: 'do', effects: ['execute', 'unknown'] })).toMatch(/^What this do does is not known/);
    expect(left({ verb: 'copy', effects: ['write', 'transfer'] })).toMatch(/outside the database/);
    expect(left({ verb: 'copy', effects: ['read', 'execute', 'egress'] })).toMatch(/outside the database/);
    expect(left({ verb: 'create function', effects: ['define', 'execute', 'unknown'] })).toBe('allow');
    expect(left({ verb: 'notify', effects: ['session', 'egress'] })).toBe('allow');
    const call = (name: string) => ({ type: 'function', name, access: 'execute' }) as const;
    expect(left({ verb: 'select', effects: ['read', 'egress'], resources: [call('pg_notify')] })).toBe('allow');
    expect(left({ verb: 'select', effects: ['egress'], resources: [call('pg_catalog.pg_notify')] })).toBe('allow');
    // Somebody else's function of this name; and what a program has been given is gone, whatever the query of COPY calls.
    expect(left({ verb: 'select', effects: ['egress'], resources: [call('x.pg_notify')] })).not.toBe('allow');
    expect(left({ verb: 'copy', effects: ['egress'], resources: [call('pg_notify')] })).not.toBe('allow');
    expect(
      left({ verb: 'select', effects: ['egress'], resources: [call('pg_notify'), call('x.dblink_exec')] }),
    ).toMatch(/outside the database/);
  });

  test('where the target goes by who has the session no rule admits what could change that', () => {
    const annotated = compilePolicy([allow('a')], { annotate: true, trustedFunctions: ['known'] });
    const said = (changes: Partial<Action>) => annotated.judge(facts([action(changes)]), '', context).decision;
    expect(said({}).type).toBe('allow');
    expect(said({ verb: 'do', effects: ['execute', 'unknown'] })).toMatchObject({
      type: 'deny',
      cause: 'unknown-action',
    });
    expect(said({ effects: ['read', 'unknown'], unknownFunctions: ['known'] }).type).toBe('allow');
    const set = (name: string) => said({ resources: [{ type: 'setting', name, access: 'write' }] }).type;
    expect(['sluice.principal', 'sluice.groups', 'sluice.session', 'sluice.hold', 'work_mem'].map(set)).toEqual([
      'deny',
      'deny',
      'deny',
      'allow',
      'allow',
    ]);
  });

  test('a hold does not admit what is unknown', () => {
    expect(judge([hold('h')], facts([unknown])).decision).toMatchObject({ type: 'deny', rule: GATEWAY });
    expect(judge([hold('h'), allow('a')], facts([unknown])).decision.type).toBe('hold');
  });
});
