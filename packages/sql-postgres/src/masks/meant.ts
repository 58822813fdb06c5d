/**
 * The tables that a statement means, whatever it calls them. Owns: views, partitions and children, which stand for others. Does not own:
 * what is read by queries (lineage).
 */
import type { Facts, Resource } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { Relation } from '../catalog/objects.js';
import { type SessionNames, afterEffects, effectivePath, newSession } from '../lineage/index.js';
import type { Meaning } from './catalogs.js';

/**
 * Of each statement, as `schema.table`: what it names, what views and functions in SQL read for it, the partitions and children that are
 * read with it, and what it is a partition or child of. Undefined where it cannot be followed.
 */
export function meantTables(
  meaning: Meaning,
  text: string,
  { actions }: Pick<Facts, 'actions'>,
  session: SessionNames,
): readonly (readonly string[] | undefined)[] {
  const { catalog, lineage } = meaning;
  let names = session;
  return lineage.of(text, catalog, session).map((one, at) => {
    const now = names;
    names = afterEffects(now, one.effects);
    if (one.unknown !== undefined || now.overlay.uncertain !== undefined) return undefined;
    const meant = new Set<string>();
    const found = new Set(one.relations);
    const tables = actions
      .filter(({ statement }) => statement === at)
      .flatMap(({ verb, resources, temporaryTables = [] }) =>
        resources.flatMap((table) =>
          table.type === 'table'
            ? [{ ...table, makes: MAKES.test(verb), isTemporary: temporaryTables.includes(table.name) }]
            : [],
        ),
      );
    for (const table of tables) {
      const name = meaningOf(table, catalog, now);
      if (!name) return undefined;
      meant.add(name.join('.'));
      const relation = name[0] === 'pg_temp' ? undefined : catalog.relation(...name);
      if (relation) found.add(relation.oid);
    }
    const all = withOthers(meaning, found);
    for (const { schema, name } of all ?? []) meant.add(`${schema}.${name}`);
    return all && [...meant];
  });
}

/** Verbs of statements that make a table where the search path begins, whatever there is behind. */
const MAKES = /^(?:create (?:table|table as|view|materialized view|foreign table|sequence)|select)$/;

/** A table as a statement has it. */
interface Written extends Pick<Resource, 'name' | 'access'> {
  /** The statement makes relations. */
  readonly makes: boolean;
  /** It is written as a temporary one. */
  readonly isTemporary: boolean;
}

/** Schema and name of what is written so; undefined where there is none, and none is made, dropped or changed. */
function meaningOf(
  { name: written, access, makes, isTemporary }: Written,
  catalog: Catalog,
  session: SessionNames,
): [schema: string, name: string] | undefined {
  const { overlay, anyPath } = session;
  const defines = access === 'define' || access === 'destroy';
  const [name = '', schema] = written.split('.').toReversed();
  // What is read besides under the same name, lineage finds.
  if (makes && access === 'define' && isTemporary) return ['pg_temp', name];
  if (overlay.relations.has(name) && (schema === undefined || schema === 'pg_temp')) return ['pg_temp', name];
  if (schema !== undefined) return defines || catalog.relation(schema, name) ? [schema, name] : undefined;
  if (anyPath !== undefined) return undefined;
  const path = effectivePath(catalog, session);
  const there = makes && access === 'define' ? undefined : path.find((one) => catalog.relation(one, name));
  const first = defines ? path.find((one) => one !== 'pg_temp' && one !== 'pg_catalog') : undefined;
  const found = there ?? first;
  return found === undefined ? undefined : [found, name];
}

/** Relations with what they stand for. Undefined: that cannot be followed. */
function withOthers(meaning: Meaning, named: ReadonlySet<number>): ReadonlySet<Relation> | undefined {
  const { catalog } = meaning;
  const found = new Set<Relation>();
  const read = new Set(named);
  for (const oid of read) {
    const relation = catalog.relationByOid(oid);
    const behind = relation && !relation.unread ? behindView(meaning, relation) : undefined;
    if (!relation || !behind) return undefined;
    found.add(relation);
    for (const one of [...behind, ...catalog.childrenOf(oid).map((child) => child.oid)]) read.add(one);
  }
  // What a parent has besides is not read.
  for (const { parents } of found)
    for (const oid of parents) {
      const parent = catalog.relationByOid(oid);
      if (!parent) return undefined;
      found.add(parent);
    }
  return found;
}

function behindView({ catalog, lineage }: Meaning, { definition }: Relation): readonly number[] | undefined {
  if (definition === undefined) return [];
  const read = lineage.of(definition, catalog, newSession('', []));
  return read.every(({ unknown }) => unknown === undefined)
    ? read.flatMap(({ relations }) => [...relations])
    : undefined;
}
