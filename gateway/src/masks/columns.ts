import type { BaseColumn, Catalog, Relation } from '@sluice/analysis';
import type { AppliedMask } from '@sluice/guardrails';
import type { Meaning } from './catalogs.js';
import { newSession } from '@sluice/analysis';

/** Base columns that are masked, each by the strictest of the rules that name it. */
export type MaskedColumns = ReadonlyMap<BaseColumn, AppliedMask>;

/** From the one that leaves least. */
const STRICTNESS = ['null', 'redact', 'hash', 'generalise', 'partial'] as const;

export const stricter = (one: AppliedMask, other: AppliedMask): AppliedMask =>
  STRICTNESS.indexOf(other.with.type) < STRICTNESS.indexOf(one.with.type) ? other : one;

/**
 * The columns of this catalog that the rules name, and the names that fit none. A name of a column of a view stands for the
 * columns that it is made from; one of a partition or child, for those of the topmost parent.
 */
export function maskedColumns(
  { catalog, lineage }: Meaning,
  masks: readonly AppliedMask[],
): { columns: MaskedColumns; unmatched: readonly string[] } {
  const columns = new Map<BaseColumn, AppliedMask>();
  const unmatched: string[] = [];
  for (const mask of masks) {
    for (const pattern of mask.columns) {
      const found = named(catalog, pattern).flatMap(({ relation, column, base }) =>
        relation.kind === 'v' ? behindView(lineage, catalog, relation, column) : catalog.roots(base),
      );
      if (found.length === 0) unmatched.push(pattern);
      for (const base of found) {
        const known = columns.get(base);
        columns.set(base, known ? stricter(known, mask) : mask);
      }
    }
  }
  return { columns, unmatched };
}

function named(catalog: Catalog, pattern: string): { relation: Relation; column: string; base: BaseColumn }[] {
  const parts = pattern.split('.').map(matcher);
  const column = parts.pop() as RegExp;
  const table = parts.pop();
  const schema = parts.pop();
  return catalog.relations
    .filter(({ name, schema: inside }) => (table?.test(name) ?? true) && (schema?.test(inside) ?? notBuiltIn(inside)))
    .flatMap((relation) =>
      relation.columns
        .filter(({ name }) => column.test(name))
        .map(({ name, base }) => ({ relation, column: name, base })),
    );
}

/** A pattern without a schema is not about the server's own tables. */
const notBuiltIn = (schema: string): boolean => schema !== 'pg_catalog' && schema !== 'information_schema';

const matcher = (part: string): RegExp =>
  new RegExp(`^${part.replaceAll(/[\\^$+?()[\]{}|]/g, '\\$&').replaceAll('*', '.*')}$`);

function behindView(lineage: Meaning['lineage'], catalog: Catalog, view: Relation, column: string): BaseColumn[] {
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const text = `select ${quoted(column)} from ${quoted(view.schema)}.${quoted(view.name)}`;
  return lineage
    .of(text, catalog, newSession(''))
    .flatMap(({ outputs }) => outputs.flatMap(({ sources }) => [...sources]));
}
