/**
 * Objects of a catalog by their identifiers, by where they are looked for, and by what they belong to. Owns: what has changed since all
 * were read, in a layer over them, so that a change costs what has changed and not what there is. Pure.
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
}

export class Layered<T extends Placed> {
  readonly #groupsOf: (one: T) => readonly Group[];
  readonly #list: readonly T[];
  readonly #all: Layer<T>;
  /** It counts where it has an object: that may have had another name before. Or it has been dropped. */
  readonly #recent: (Layer<T> & { readonly gone: ReadonlySet<number> }) | undefined;
  #merged: readonly T[] | undefined;

  private constructor(
    list: readonly T[],
    groupsOf: (one: T) => readonly Group[],
    all = layerOf(list, groupsOf),
    recent?: Layer<T> & { readonly gone: ReadonlySet<number> },
  ) {
    this.#list = list;
    this.#groupsOf = groupsOf;
    this.#all = all;
    this.#recent = recent;
  }

  /** @param groupsOf what `of` finds an object by */
  static of<T extends Placed>(list: readonly T[], groupsOf: (one: T) => readonly Group[]): Layered<T> {
    return new Layered(list, groupsOf);
  }

  /** With these in place of those of the same identifiers, and without those that are gone. */
  with(late: readonly T[], dropped: Iterable<number> = []): Layered<T> {
    const gone = new Set([...(this.#recent?.gone ?? []), ...dropped]);
    const recent = new Map(this.#recent?.byOid);
    for (const one of late) recent.set(one.oid, one);
    for (const oid of gone) recent.delete(oid);
    const layer = { ...layerOf([...recent.values()], this.#groupsOf), gone };
    return new Layered(this.#list, this.#groupsOf, this.#all, layer);
  }

  /** All of them. */
  get list(): readonly T[] {
    const recent = this.#recent;
    if (!recent) return this.#list;
    return (this.#merged ??= [...this.#list.filter((one) => !this.#isLate(one)), ...recent.byOid.values()]);
  }

  byOid(oid: number): T | undefined {
    const late = this.#recent?.byOid.get(oid);
    return late ?? (this.#recent?.gone.has(oid) ? undefined : this.#all.byOid.get(oid));
  }

  named(schema: string, name: string): T | undefined {
    const key = keyOf({ schema, name });
    const late = this.#recent?.byKey.get(key);
    if (late) return late;
    const found = this.#all.byKey.get(key);
    return found && this.#isLate(found) ? undefined : found;
  }

  of(group: Group): readonly T[] {
    const found = this.#all.groups.get(group) ?? [];
    const recent = this.#recent;
    if (!recent) return found;
    return [...found.filter((one) => !this.#isLate(one)), ...(recent.groups.get(group) ?? [])];
  }

  /** What was there before is not what counts. */
  #isLate({ oid }: T): boolean {
    return this.#recent !== undefined && (this.#recent.byOid.has(oid) || this.#recent.gone.has(oid));
  }
}

const layerOf = <T extends Placed>(list: readonly T[], groupsOf: (one: T) => readonly Group[]): Layer<T> => ({
  byOid: new Map(list.map((one) => [one.oid, one])),
  byKey: new Map(list.map((one) => [keyOf(one), one])),
  groups: grouped(list, groupsOf),
});

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
