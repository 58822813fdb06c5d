/**
 * What a text defines for others, once that takes effect. Owns: which names that may be, and which tables nobody reads meanwhile. Does not
 * own: when it takes effect (`session.ts`), nor what others do about it (`standing.ts`, `turns.ts`). Pure.
 */
import type { Facts } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import { type SessionEffect, type StatementLineage, isSchemaName } from '../lineage/index.js';
import { lastParts } from '../written-names.js';
import { changedTables } from './changed-tables.js';
import { OWN_CODE, actionsOf, defines } from './effects.js';
import { namesIn } from './reached.js';
import { ANY, type Defined, type DefinedNames } from './underway.js';

const NO_NAMES: ReadonlySet<string> = new Set();

/** All names of these, where they are known. */
export function namesOf(all: readonly Pick<Defined, 'names'>[]): DefinedNames {
  const found = new Set<string>();
  for (const { names } of all) {
    if (names === 'any') return 'any';
    for (const name of names) found.add(name);
  }
  return found;
}

export const joined = (all: readonly Defined[]): Defined => ({
  names: namesOf(all),
  tablesOnly: all.every(({ tablesOnly }) => tablesOnly),
  named: new Set(all.flatMap(({ named }) => [...named])),
  functions: new Set(all.flatMap(({ functions }) => [...functions])),
  locked: new Set(all.flatMap(({ locked }) => [...locked])),
});

/**
 * Undefined: nothing by which statements of others would mean something else.
 *
 * @param followed undefined where nothing is known of the text
 * @param mayBeMore whatever is defined, more may be
 */
export function definedBy(
  followed: readonly StatementLineage[] | undefined,
  facts: Facts,
  text: string,
  catalog: Catalog,
  mayBeMore: boolean,
): Defined | undefined {
  if (!followed) return defines(facts) ? ANY : undefined;
  const found: Defined[] = [];
  for (const [statement, lineage] of followed.entries()) {
    if (OWN_CODE.has(lineage.statement)) {
      // What the text of code names, where it says that it defines anything.
      const named = lineage.statement === 'DoStmt' && DEFINES.test(text) ? new Set(namesIn(text)) : NO_NAMES;
      found.push({ ...ANY, named });
    }
    if (defines(facts, statement) && !isHarmless(lineage, facts, statement))
      found.push(definedIn(lineage, facts, statement, catalog, mayBeMore));
  }
  return found.length > 0 ? joined(found) : undefined;
}

/** How functions stand among names. */
const FUNCTION = 'function ';
const DEFINES = /\b(?:create|alter|drop|rename)\b/i;

function definedIn(
  lineage: StatementLineage,
  facts: Facts,
  statement: number,
  catalog: Catalog,
  mayBeMore: boolean,
): Defined {
  const tables = mayBeMore ? undefined : changedTables(lineage, facts, statement, catalog);
  const effects = lineage.effects.flatMap((effect): readonly string[] => {
    if (effect.type === 'relation') return [effect.relation.name];
    return effect.type === 'defined' && effect.names !== 'any' ? effect.names : [];
  });
  const own = actionsOf(facts, statement);
  const written = own.flatMap(({ resources }) =>
    resources.map(({ type, name }) => (type === 'function' ? `${FUNCTION}${name}` : name)),
  );
  const locked = own.flatMap(({ cost }) => (cost?.lock?.mode === 'access exclusive' ? cost.lock.on : []));
  const all = [...effects, ...(tables ?? []), ...written, ...locked];
  const isNamed =
    lineage.effects.some(isNaming) && lineage.effects.every((effect) => effect.type !== 'defined' || isNaming(effect));
  const isFollowed = isNamed && lineage.unknown === undefined && !lineage.effects.some(runsCode);
  return {
    names: mayBeMore || !isFollowed || effects.some(isVague) ? 'any' : new Set(all),
    tablesOnly: tables !== undefined,
    named: new Set(all.filter((name) => !isSchemaName(name) && !name.startsWith(FUNCTION)).flatMap(lastParts)),
    functions: new Set(
      all.flatMap((name) => (name.startsWith(FUNCTION) ? lastParts(name.slice(FUNCTION.length)) : [])),
    ),
    locked: new Set(locked),
  };
}

const isNaming = (effect: SessionEffect): boolean =>
  effect.type === 'relation' || (effect.type === 'defined' && effect.names !== 'any');
const runsCode = ({ type }: SessionEffect): boolean => type === 'code' || type === 'uncertain';
/** A phrase that stands among the names for what is not named: schemas and functions are written with what they are before them. */
const isVague = (name: string): boolean => name.startsWith('what ');

/** It defines nothing by which statements mean other things, or only for its own session. */
const isHarmless = (lineage: StatementLineage, { actions }: Facts, statement: number): boolean =>
  actions.every((action) => action.statement !== statement || MEANT_ALIKE.has(action.verb)) ||
  (lineage.effects.length > 0 && lineage.effects.every((effect) => isOwn(effect)));
const MEANT_ALIKE: ReadonlySet<string> = new Set([
  'create index',
  'create sequence',
  'alter sequence',
  'comment',
  'create statistics',
  'truncate',
]);
const isOwn = (effect: SessionEffect): boolean =>
  (effect.type === 'relation' && effect.relation.permanent === undefined) ||
  effect.type === 'drop relation' ||
  effect.type === 'function' ||
  effect.type === 'drop function' ||
  (effect.type === 'defined' && effect.names !== 'any' && effect.names.length === 0);
