/**
 * The tables that a statement means, whatever it calls them. Owns: views and partitions, which stand for others. Does not own: looking
 * names up (lineage).
 */
import type { Facts } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { Relation } from '../catalog/objects.js';
import { type SessionNames, newSession } from '../lineage/index.js';
import type { Meaning } from './catalogs.js';

/**
 * Of each statement, as `schema.table`: what it names, what views and functions in SQL read for it, and what partitions and children
 * are part of. Undefined where it cannot be followed.
 */
export function meantTables(
  { catalog, lineage }: Meaning,
  text: string,
  { actions }: Pick<Facts, 'actions'>,
  session: SessionNames,
): readonly (readonly string[] | undefined)[] {
  return lineage.of(text, catalog, session).map((one, at) => {
    if (one.unknown !== undefined || session.overlay.uncertain !== undefined) return undefined;
    const found = new Map<number, Relation>();
    const isKnown = [...one.relations].every((oid) => collect({ catalog, lineage }, oid, found));
    const names = new Set([...found.values()].map(({ schema, name }) => `${schema}.${name}`));
    const written = actions.filter(({ statement }) => statement === at).flatMap(({ resources }) => resources);
    for (const { type, name, access } of isKnown ? written : []) {
      if (type !== 'table' || isAmong(name, names)) continue;
      const meant = meaningOf(name, access === 'define', catalog, session);
      const relation = meant && catalog.relation(...meant);
      if (!meant || (relation && !collect({ catalog, lineage }, relation.oid, found))) return undefined;
      names.add(meant.join('.'));
    }
    for (const { schema, name } of found.values()) names.add(`${schema}.${name}`);
    return isKnown ? [...names] : undefined;
  });
}

/** Whether lineage has found what is written so. */
const isAmong = (written: string, names: ReadonlySet<string>): boolean =>
  [...names].some((name) => name === written || (!written.includes('.') && name.endsWith(`.${written}`)));

/** What lineage does not look up: what is defined, dropped, copied or locked. Schema and name; undefined where there is none. */
function meaningOf(
  written: string,
  isNew: boolean,
  catalog: Catalog,
  { overlay, searchPath, anyPath }: SessionNames,
): [string, string] | undefined {
  const [name = '', schema] = written.split('.').toReversed();
  if (overlay.relations.has(name) && (schema === undefined || schema === 'pg_temp')) return ['pg_temp', name];
  if (schema !== undefined) return isNew || catalog.relation(schema, name) ? [schema, name] : undefined;
  if (anyPath !== undefined) return undefined;
  const path = ['pg_catalog', ...searchPath.filter((one) => one !== '$user')];
  const found = path.find((one) => catalog.relation(one, name));
  const first = found ?? (isNew ? searchPath.find((one) => one !== '$user') : undefined);
  return first === undefined ? undefined : [first, name];
}

/** Adds a relation and what it stands for. False: that cannot be followed. */
function collect(meaning: Pick<Meaning, 'catalog' | 'lineage'>, oid: number, found: Map<number, Relation>): boolean {
  if (found.has(oid)) return true;
  const relation = meaning.catalog.relationByOid(oid);
  if (!relation || relation.unread) return false;
  found.set(oid, relation);
  const behind = behindView(meaning, relation);
  return behind !== undefined && [...behind, ...relation.parents].every((one) => collect(meaning, one, found));
}

function behindView(
  { catalog, lineage }: { readonly catalog: Catalog; readonly lineage: Meaning['lineage'] },
  { definition }: Relation,
): readonly number[] | undefined {
  if (definition === undefined) return [];
  const read = lineage.of(definition, catalog, newSession('', []));
  return read.every(({ unknown }) => unknown === undefined)
    ? read.flatMap(({ relations }) => [...relations])
    : undefined;
}
