import type { CustomCommand, ResponseEvent } from '@sluice/contract';
import { compilePolicy } from '@sluice/guardrails';
import { commandHeader, responseHeader } from '@sluice/recording';
import { expect, test } from 'vitest';
import { checkedCommand, customFacts } from '../src/custom-command.js';

const COMMAND = { type: 'custom', id: 1, verb: 'Get', text: 'GET a' } as const;
const facts = (more: object): ReturnType<typeof customFacts> =>
  customFacts(checkedCommand({ ...COMMAND, ...more } as CustomCommand));
const context = {
  principal: { name: 'dev', kind: 'person', groups: [], roles: ['user'] },
  connection: { name: 'cache', protocol: '@acme/x' },
  command: { type: 'custom' },
} as const;
const decide = (more: object, allow = false): string => {
  const rule = { rule: 'all', then: { type: 'allow' }, mode: 'enforce', path: 'policies.p[0]' } as const;
  return compilePolicy(allow ? [rule] : []).judge(facts(more), 'GET a', context).decision.type;
};

test('effects that a protocol names are those that rules see', () => {
  const resources = [{ type: 'object', name: 'a', access: 'read' }];
  expect(facts({ effects: ['read'], resources }).actions).toMatchObject([
    { verb: 'get', effects: ['read'], resources },
  ]);
  expect(decide({ effects: ['read'] })).toBe('allow');
});

test.each([
  ['nothing', {}],
  ['none', { effects: [] }],
  ['one that is not known', { effects: ['read', 'harmless'] }],
  ['a text', { effects: 'read' }],
])('effects: %s is unknown, which only a rule lets pass', (_, more) => {
  expect(facts(more).actions[0]?.effects).toEqual(['unknown']);
  expect([decide(more), decide(more, true)]).toEqual(['deny', 'allow']);
});

test.each([
  ['no verb', { verb: '' }],
  ['a verb that is no text', { verb: 7 }],
  ['no text', { text: undefined }],
  ['no number', { id: '1,"s":"other"' }],
  ['resources that are no list', { resources: { type: 'object' } }],
  ['a resource without a type', { resources: [{ name: 'a', access: 'read' }] }],
  ['a resource that is none', { resources: [null] }],
  ['a resource that is undefined', { resources: [undefined] }],
  ['resources with holes', { resources: Object.assign([], { length: 1 }) }],
])('%s is refused, whatever the rules say', (_, more) => {
  expect(decide({ effects: ['read'], ...more }, true)).toBe('deny');
});

test('whatever a protocol says, a record can be read', () => {
  const odd = { ...COMMAND, account: 'x', id: '1,"s":"other"' } as unknown as CustomCommand;
  expect(JSON.parse(commandHeader('s', odd, '"text":""', 'full', 0))).toEqual({
    k: 'command',
    t: 0,
    s: 's',
    id: 0,
    phase: 'custom',
    text: '',
  });
  const end = { type: 'end', command: Number.NaN, outcome: 'o"k', rows: undefined, bytes: 1.5, data: [] };
  expect(JSON.parse(responseHeader('s', end as unknown as ResponseEvent, 0))).toEqual({
    k: 'end',
    t: 0,
    s: 's',
    id: 0,
    outcome: 'o"k',
    summary: '',
    rows: 0,
    bytes: 0,
  });
  const part = { type: 'part', command: 1, stream: '"', data: [] };
  expect(JSON.parse(responseHeader('s', part as unknown as ResponseEvent, 0))).toMatchObject({ st: '"' });
});
