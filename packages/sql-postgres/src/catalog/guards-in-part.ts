/**
 * What runs unseen behind tables that were read anew. Owns: for which of them that can be told without the rest of the catalog. Does not
 * own: which rows are asked for (`tables.ts`), nor what they mean for the whole (`guards.ts`, `setting-code.ts`). Pure.
 */
import type { Pair } from './edges.js';
import type { Guards } from './guards.js';
import type { Relation } from './objects.js';
import type { CatalogRow } from './query.js';
import { type SettingCode, isDirectCall } from './setting-code.js';

/** pg_class, as a class of pg_depend. */
const PG_CLASS = '1259';

/**
 * @param calls (kind, relation, class, oid of what is called)
 * @param guarded (kind, relation)
 * @param reached (kind, from, to)
 * @returns undefined where code that may keep something in a setting has come to one of them: what else it is reached by then takes all
 */
export function guardsWith(
  guards: Guards,
  relations: readonly Relation[],
  [calls, guarded, reached]: readonly [readonly CatalogRow[], readonly CatalogRow[], readonly CatalogRow[]],
): Guards | undefined {
  if (setsMore(guards.settingCode, relations, calls, reached)) return undefined;
  const tables = new Set(relations.map(({ oid }) => oid));
  const running = calls.filter(([, , of, oid]) => guards.code.has(`${of} ${oid}`));
  const among = (before: ReadonlySet<number>, kind: string): Set<number> =>
    new Set([
      ...[...before].filter((oid) => !tables.has(oid)),
      ...[...guarded, ...running].flatMap(([of, oid]) => (of === kind ? [Number(oid)] : [])),
    ]);
  const pairs = (kind: string): Pair[] =>
    reached.flatMap(([of, from, to]): Pair[] => (of === kind ? [[Number(from), Number(to)]] : []));
  return {
    ...guards,
    onRead: among(guards.onRead, 'r'),
    onWrite: among(guards.onWrite, 'w'),
    // What is no longer there goes when all is read.
    read: guards.read.with(pairs('r')),
    written: guards.written.with(pairs('w')),
  };
}

/** Whether such code runs where it did not before, or what it is reached by has a name that it did not have. */
function setsMore(
  { onRead, onWrite, counted, names }: SettingCode,
  relations: readonly Relation[],
  calls: readonly CatalogRow[],
  reached: readonly CatalogRow[],
): boolean {
  const isKnown = (kind: string | null | undefined, oid: number): boolean => (kind === 'w' ? onWrite : onRead).has(oid);
  const isRenamed = ({ oid, name }: Relation): boolean =>
    counted.has(`${PG_CLASS} ${oid}`) && !names.has(name.toLowerCase());
  const runs = ([kind, relation, of, oid]: CatalogRow): boolean => {
    // From relation to relation it comes by what `spreads` looks at, and by policies.
    if (of === PG_CLASS && kind !== 'p') return false;
    const isCounted = isDirectCall([null, null, null, oid ?? null]) || counted.has(`${of} ${oid}`);
    return isCounted && !isKnown(kind, Number(relation));
  };
  const spreads = ([kind, from, to]: CatalogRow): boolean => {
    const isCounted = (one: 'r' | 'w'): boolean => isKnown(one, Number(to)) && !isKnown(one, Number(from));
    if (kind === 'r') return isCounted('r') || isCounted('w');
    return (onRead.has(Number(to)) || onWrite.has(Number(to))) && !onWrite.has(Number(from));
  };
  return relations.some(isRenamed) || calls.some(runs) || reached.some(spreads);
}
