/**
 * Which names a text may reach in a catalog: those in it, and those in what they stand for. Owns: that bound, which is a wide one and costs
 * little. Does not own: what is meant by them (lineage). Pure.
 */
import type { Catalog } from '../catalog/catalog.js';
import type { Relation } from '../catalog/objects.js';
import { isSchemaName } from '../lineage/index.js';
import { lastParts } from '../written-names.js';

/** Names by `keyOf`; `any` where it may be all. */
export type Reached = ReadonlySet<string> | 'any';

/** More of them are not looked through. */
const MAX_NAMES = 10_000;
/** The server cuts longer names off, at so many bytes: what begins alike is taken for the same. */
const MAX_COMPARED = 20;
/** What is executed stands elsewhere, and names may be written in numbers. */
const ELSEWHERE = /\b(?:execute|fetch|move)\b|u&"/i;

const keyOf = (name: string): string => name.toLowerCase().slice(0, MAX_COMPARED);

/** Words, what stands in quotes as a whole, and `*`. */
export function namesIn(text: string): string[] {
  const words = text.match(/[\p{L}\p{N}_$]+|[*]/gu) ?? [];
  const quoted = Array.from(text.matchAll(/"((?:[^"]|"")+)"/g), ([, name = '']) => name.replaceAll('""', '"'));
  return [...words, ...words.map((word) => word.toLowerCase()), ...quoted];
}

export function reachedBy(text: string, catalog: Catalog): Reached {
  if (ELSEWHERE.test(text)) return 'any';
  const names = new Set(namesIn(text));
  const relations = new Set<Relation>();
  for (const name of names) {
    if (names.size > MAX_NAMES) return 'any';
    for (const { body } of catalog.routinesNamed(name)) for (const one of namesIn(body?.text ?? '')) names.add(one);
    for (const relation of catalog.relationsNamed(name)) {
      if (relations.has(relation)) continue;
      relations.add(relation);
      for (const one of namesIn(relation.definition ?? '')) names.add(one);
      for (const { generated = '' } of relation.columns) for (const one of namesIn(generated)) names.add(one);
      for (const { name: child } of catalog.childrenOf(relation.oid)) names.add(child);
      for (const oid of relation.parents) names.add(catalog.relationByOid(oid)?.name ?? '');
    }
  }
  return new Set([...names].map(keyOf));
}

/** Whether it may call what somebody has written, by itself or by a view. */
export function callsFunctions(text: string, catalog: Catalog): boolean {
  const reached = reachedBy(text, catalog);
  return (
    reached === 'any' ||
    catalog.contents.routines.some(({ schema, name }) => schema !== 'pg_catalog' && mayReach(reached, name))
  );
}

/** @param name as `changedTables` or the catalog has it */
export function mayReach(reached: Reached, name: string): boolean {
  if (reached === 'any' || isSchemaName(name)) return true;
  const plain = name.replace(/^function /, '');
  return lastParts(plain).some((one) => reached.has(keyOf(one)));
}
