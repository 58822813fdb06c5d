import { expect, test } from 'vitest';
import { type Maker, OPERATOR, ownerOf } from '../src/index.js';

const agent = { name: 'robot', kind: 'agent', groups: [], roles: [] } as const;
const operator: Maker = { name: OPERATOR, by: 'token', token: 'o' };
const ana: Maker = { name: 'ana', issuer: 'corp', subject: '17', by: 'issuer', token: 'a' };
const ben: Maker = { name: 'ben', by: 'token', token: 'b' };
const robot: Maker = { name: 'robot', kind: 'agent', by: 'token', token: 'r' };
const robin: Maker = { name: 'robin', kind: 'agent', by: 'token', token: 's' };

test.each([
  ['the person who made its token', [ana], ana],
  ['that person, however many tokens it makes for itself', [robot, robot, ana, ben], ana],
  ['that person, whoever made theirs', [ben, ana, operator], ben],
  ['the first of the agents that made each other’s', [robot, robin, operator], robin],
  ['itself, where the operator made it', [operator], agent],
  ['itself, where the operator made what it made its token with', [robot, operator], robot],
  ['itself, where an identity provider speaks for it', [], agent],
])('for an agent answers %s', (_, makers, owner) => {
  expect(ownerOf(agent, makers)).toEqual(owner);
});

test('people answer for themselves, whoever made their tokens', () => {
  const eve = { ...agent, name: 'eve', kind: 'person' } as const;
  expect(ownerOf(eve, [ana, operator])).toBe(eve);
});
