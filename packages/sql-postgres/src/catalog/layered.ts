/**
 * Objects of a catalog by their identifiers, by where they are looked for, and by what they belong to. Owns: what has changed since all
 * were read, in layers over them, so that a change costs what has changed and not what there is. Pure.
 */

interface Placed {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
}

/** Names are texts, other objects numbers: no two of them are the same. */
type Group = string | number;

interface Layer<T> {
  readonly byOid: ReadonlyMap<number, T>;
  readonly byKey: ReadonlyMap<string, T>;
  readonly groups: ReadonlyMap<Group, readonly T[]>;
  /** Identifiers of what has been dropped. */
  readonly gone: ReadonlySet<number>;
}

export class Layered<T extends Placed> {
  readonly #groupsOf: (one: T) => readonly Group[];
  readonly #all: readonly T[];
  /** Over all, the oldest first. What a later one has or says to be gone does not count in those before it. */
  readonly #layers: readonly Layer<T>[];
  #merged: readonly T[] | undefined;

  private constructor(
    all: readonly T[],
    groupsOf: (one: T) => readonly Group[],
    layers: readonly Layer<T>[] = [layerOf(all, groupsOf)],
  ) {
    this.#all = all;
    this.#groupsOf = groupsOf;
    this.#layers = layers;
  }

  /** Of the same list there is one: catalogs that have it in common share its indexes. @param groupsOf what `of` finds an object by */
  static of<T extends Placed>(list: readonly T[], groupsOf: (one: T) => readonly Group[]): Layered<T> {
    let made = MADE.get(list) as Layered<T> | undefined;
    if (!made || made.#groupsOf !== groupsOf) MADE.set(list, (made = new Layered(list, groupsOf)));
    return made;
  }

  /**
   * With these in place of those of the same identifiers, and without those that are gone. Layers of like size become one: of a thousand
   * changes, one after the other, there are some ten, and each object is put in place as often.
   */
  with(late: readonly T[], dropped: Iterable<number> = []): Layered<T> {
    let gone: ReadonlySet<number> = new Set(dropped);
    if (late.length + gone.size === 0) return this;
    let changed = new Map(late.filter(({ oid }) => !gone.has(oid)).map((one) => [one.oid, one]));
    const layers = [...this.#layers];
    for (;;) {
      const last = layers.length > 1 ? layers.at(-1) : undefined;
      if (!last || sizeOf(last) > 2 * (changed.size + gone.size)) break;
      layers.pop();
      const before = [...last.byOid].filter(([oid]) => !changed.has(oid) && !gone.has(oid));
      gone = new Set([...[...last.gone].filter((oid) => !changed.has(oid)), ...gone]);
      changed = new Map([...before, ...changed]);
    }
    layers.push({ ...layerOf([...changed.values()], this.#groupsOf), gone });
    return new Layered(this.#all, this.#groupsOf, layers);
  }

  /** All of them. */
  get list(): readonly T[] {
    if (this.#layers.length === 1) return this.#all;
    return (this.#merged ??= this.#layers.flatMap(({ byOid }, at) =>
      (at === 0 ? this.#all : [...byOid.values()]).filter((one) => !this.#isChanged(one, at)),
    ));
  }

  byOid(oid: number): T | undefined {
    for (let at = this.#layers.length - 1; at >= 0; at--) {
      const { byOid, gone } = this.#layers[at] as Layer<T>;
      const found = byOid.get(oid);
      if (found || gone.has(oid)) return found;
    }
    return undefined;
  }

  named(schema: string, name: string): T | undefined {
    const key = keyOf({ schema, name });
    for (let at = this.#layers.length - 1; at >= 0; at--) {
      const found = this.#layers[at]?.byKey.get(key);
      if (found && !this.#isChanged(found, at)) return found;
    }
    return undefined;
  }

  of(group: Group): readonly T[] {
    const [all] = this.#layers;
    if (this.#layers.length === 1) return all?.groups.get(group) ?? [];
    return this.#layers.flatMap(({ groups }, at) =>
      (groups.get(group) ?? []).filter((one) => !this.#isChanged(one, at)),
    );
  }

  /** What a layer has is not what counts: a later one has it otherwise, or has it gone. */
  #isChanged({ oid }: T, at: number): boolean {
    for (let later = at + 1; later < this.#layers.length; later++) {
      const { byOid, gone } = this.#layers[later] as Layer<T>;
      if (byOid.has(oid) || gone.has(oid)) return true;
    }
    return false;
  }
}

const MADE = new WeakMap<readonly Placed[], unknown>();
const sizeOf = <T>({ byOid, gone }: Layer<T>): number => byOid.size + gone.size;

const layerOf = <T extends Placed>(list: readonly T[], groupsOf: (one: T) => readonly Group[]): Layer<T> => ({
  byOid: new Map(list.map((one) => [one.oid, one])),
  byKey: new Map(list.map((one) => [keyOf(one), one])),
  groups: grouped(list, groupsOf),
  gone: NONE,
});

const NONE: ReadonlySet<number> = new Set();

/** No part of a name contains NUL. */
export const keyOf = ({ schema, name }: Pick<Placed, 'schema' | 'name'>): string => `${schema}\0${name}`;

export function grouped<T, K>(items: readonly T[], keysFor: (item: T) => readonly K[]): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items)
    for (const key of keysFor(item)) {
      const list = groups.get(key);
      if (list) list.push(item);
      else groups.set(key, [item]);
    }
  return groups;
}
