import { expect, test } from 'vitest';
import { Layered, grouped, keyOf } from '../src/catalog/layered.js';

/** Whatever comes, changes and goes, in however many steps: what is found is what a plain list would give. */

interface Thing {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly parent: number;
}

const groupsOf = ({ name, parent }: Thing): (string | number)[] => [name, parent];

/** The same each time: a linear congruence. */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) yield (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
}

test('after any row of changes it is what a list would be', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = numbers(seed);
    const below = (end: number): number => Math.floor((random.next().value as number) * end);
    const taken = new Set<string>();
    // No two have one name in one schema at a time.
    const made = (oid: number): Thing => {
      const one = { oid, schema: `s${below(2)}`, name: `n${below(30)}`, parent: below(5) };
      if (taken.has(keyOf(one))) return made(oid);
      taken.add(keyOf(one));
      return one;
    };
    const first = Array.from({ length: 20 }, (_, at) => made(at + 1));
    const model = new Map(first.map((one) => [one.oid, one]));
    let layered = Layered.of(first, groupsOf);
    const old = layered;
    let next = first.length + 1;
    for (let step = 0; step < 60; step++) {
      const there = [...model.keys()];
      const changed = there.filter(() => below(10) === 0);
      const gone = there.filter((oid) => !changed.includes(oid) && below(12) === 0);
      taken.clear();
      for (const one of model.values()) if (![...changed, ...gone].includes(one.oid)) taken.add(keyOf(one));
      const isFull = taken.size > 40;
      const late = [...changed, ...Array.from({ length: isFull ? 0 : below(3) }, () => next++)].map(made);
      // What has gone may be told of again.
      layered = layered.with(late, [...gone, ...(below(5) === 0 ? [1_000_000] : [])]);
      for (const one of late) model.set(one.oid, one);
      for (const oid of gone) model.delete(oid);
      const all = [...model.values()];
      const sorted = (some: Iterable<Thing>): Thing[] => [...some].toSorted((a, b) => a.oid - b.oid);
      expect(sorted(layered.list)).toEqual(sorted(all));
      for (let oid = 1; oid < next; oid++) expect(layered.byOid(oid)).toBe(model.get(oid));
      const groups = grouped(all, groupsOf);
      for (let n = 0; n < 30; n++) {
        expect(sorted(layered.of(`n${n}`))).toEqual(sorted(groups.get(`n${n}`) ?? []));
        for (const schema of ['s0', 's1']) {
          const found = layered.named(schema, `n${n}`);
          const named = all.filter((one) => keyOf(one) === keyOf({ schema, name: `n${n}` }));
          expect(found).toBe(named[0]);
        }
      }
      for (let parent = 0; parent < 5; parent++)
        expect(sorted(layered.of(parent))).toEqual(sorted(groups.get(parent) ?? []));
    }
    expect(old.list).toEqual(first);
  }
});

test('a thousand changes, one after the other, cost what they change and not what there is', () => {
  const thing = (oid: number): Thing => ({ oid, schema: 's', name: `n${oid}`, parent: 0 });
  let places = 0;
  let layered = Layered.of([] as Thing[], (one) => {
    places++;
    return [one.name];
  });
  for (let oid = 1; oid <= 1000; oid++) layered = layered.with([thing(oid)]);
  expect(layered.list).toHaveLength(1000);
  expect(places).toBeLessThan(20_000);
});
