import { expect, test } from 'vitest';
import { identifiersOf, regclassOf } from '../src/estimate.js';
import { type MeantNames, hasAny } from '../src/masks/turns.js';
import { lastParts, readingsOf } from '../src/written-names.js';

test('a dot stands between parts, or in one', () => {
  expect(lastParts('plain')).toEqual(['plain']);
  expect(lastParts('s.t')).toEqual(['s.t', 't']);
  expect(lastParts('s.a.b')).toEqual(['s.a.b', 'a.b', 'b']);
  expect(readingsOf('s.a.b')).toEqual([
    { before: undefined, name: 's.a.b' },
    { before: 's', name: 'a.b' },
    { before: 's.a', name: 'b' },
  ]);
  // Longer than any name is.
  expect(lastParts('a.'.repeat(100_000)).length).toBe(2);
});

test('as identifiers', () => {
  expect(identifiersOf('plain')).toEqual(['"plain"']);
  expect(identifiersOf('s.t')).toEqual(['"s"."t"', '"s.t"']);
  expect(identifiersOf('s.a.b')).toEqual(['"s"."a"."b"', '"s.a.b"', '"s"."a.b"', '"s.a"."b"']);
  expect(regclassOf('plain')).toBe(`to_regclass('"plain"')::oid`);
});

test('what is meant by a name is met by each of its spellings', () => {
  const names: MeantNames = new Map([
    ['a.b', new Set(['s.s'])],
    ['t', new Set(['public'])],
  ]);
  for (const one of ['s.s.a.b', 'a.b', 'db.s.s.a.b', 't', 'public.t', 'db.public.t'])
    expect(hasAny(names, new Set([one])), one).toBe(true);
  for (const one of ['b', 'other.a.b', 'tenant.t', 't.public']) expect(hasAny(names, new Set([one])), one).toBe(false);
});
