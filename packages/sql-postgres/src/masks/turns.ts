/**
 * Who waits for whom where one session defines what another uses. Owns: what a command waits for before it is sent, and for how long. Does
 * not own: what was sent before (`standing.ts`), nor what is under way (`underway.ts`).
 */
import type { BehindDefinitions, Facts, WaitedTooLong } from '@sluice/contract';
import { newSession, type StatementLineage, type TemporaryRelation } from '../lineage/index.js';
import { lastParts, readingsOf } from '../written-names.js';
import type { Meaning } from './catalogs.js';
import { namesIn } from './reached.js';
import type { WaitBound } from './timeouts.js';
import type { Defined, DefinitionsUnderWay, Moving } from './underway.js';

/** What only reads is looked at again when it is answered: it waits here so that it need not be refused then. In milliseconds. */
const READS_WAIT_MS = 60_000;
/** What has moved values by itself nobody could take back. */
const MOVES_WAIT_MS = 600_000;
/** Whoever holds locks may be what the other one waits for, and that the target alone finds out. */
const HOLDERS_WAIT_MS = 1_000;
/** The same of who holds them and defines: what the others move is stopped then, and may take so long to end. */
const DEFINERS_WAIT_MS = 300;
const STOPPED_MS = 10_000;

type OwnRelation = Pick<TemporaryRelation, 'name' | 'reads'>;

/** A command that was judged, and who sends it. */
export interface Turn {
  readonly owner: object;
  readonly facts: Facts;
  readonly meaning: Meaning;
  readonly lineage: readonly StatementLineage[] | undefined;
  /** Relations of the session. */
  readonly own: ReadonlyMap<string, OwnRelation>;
  /** What it puts into effect. */
  readonly defines: Defined | undefined;
  /** How long its session lets it wait. */
  readonly bound: (isOpen: boolean) => WaitBound;
}

/** See `Masking.behind`. */
export function behind(underWay: DefinitionsUnderWay, turn: Turn): BehindDefinitions | undefined {
  const { owner, defines, bound } = turn;
  if (defines) {
    const others = (): readonly Moving[] => underWay.movingBy(defines, owner);
    return others().length > 0
      ? (isOpen, signal) => definesBehind(underWay, defines, { owner, others, isOpen, signal, bound: bound(isOpen) })
      : undefined;
  }
  if (!underWay.isDefined(owner, () => true)) return undefined;
  const names = meantBy(turn);
  const isBefore = (): boolean =>
    underWay.isDefined(owner, (one, isSent) => hasAny(names, isSent && moves(turn) ? both(one) : one.locked));
  if (names.size === 0 || !isBefore()) return undefined;
  return async (isOpen, signal) => {
    const isMoving = !isOpen && moves(turn);
    const mostMs = isOpen ? HOLDERS_WAIT_MS : isMoving ? MOVES_WAIT_MS : READS_WAIT_MS;
    const { until, late } = bounded(bound(isOpen), mostMs);
    if (await whileThere(underWay, isBefore, until, signal)) return undefined;
    return late ?? (isMoving ? TOO_LONG : undefined);
  };
}

/** Who has no locks waits as long as the target would make it wait, and what comes now waits for it. */
async function definesBehind(
  underWay: DefinitionsUnderWay,
  defines: Defined,
  who: {
    readonly owner: object;
    readonly others: () => readonly Moving[];
    readonly isOpen: boolean;
    readonly signal: AbortSignal;
    readonly bound: WaitBound;
  },
): Promise<WaitedTooLong | undefined> {
  const { owner, others, isOpen, signal, bound } = who;
  const held = isOpen ? undefined : underWay.hold({ ...defines, locked: both(defines) }, owner);
  try {
    const isThere = (): boolean => others().length > 0;
    const { until, late } = bounded(bound, isOpen ? DEFINERS_WAIT_MS : MOVES_WAIT_MS);
    if (await whileThere(underWay, isThere, until, signal)) return undefined;
    if (!isOpen || late) return late ?? TOO_LONG;
    for (const one of others()) one.stop();
    const { until: stopped, late: later } = bounded(bound, STOPPED_MS);
    return (await whileThere(underWay, isThere, stopped, signal)) ? undefined : (later ?? TOO_LONG);
  } finally {
    if (held) underWay.release(held);
  }
}

const TOO_LONG: WaitedTooLong = {};

/** Until when, by `performance.now`, and why it fails then where the session itself says so. */
function bounded({ fails, idleMs }: WaitBound, mostMs: number): { until: number; late: WaitedTooLong | undefined } {
  const most = Math.min(mostMs, idleMs);
  const late = fails !== undefined && fails.afterMs <= most ? { by: fails.by } : undefined;
  return { until: performance.now() + (late ? (fails?.afterMs ?? 0) : most), late };
}

const both = ({ named, functions }: Defined): ReadonlySet<string> => new Set([...named, ...functions]);

/** Whether it is over in time. */
async function whileThere(
  underWay: DefinitionsUnderWay,
  isThere: () => boolean,
  until: number,
  signal: AbortSignal,
): Promise<boolean> {
  while (isThere()) {
    const left = until - performance.now();
    if (left <= 0 || signal.aborted) return false;
    await underWay.next(left, signal);
  }
  return true;
}

/** A statement of it puts values somewhere that come from elsewhere: from columns, or from functions that somebody has written. */
export const moves = ({ lineage, facts, meaning }: Pick<Turn, 'lineage' | 'facts' | 'meaning'>): boolean =>
  lineage?.some(
    ({ statement, flows }, at) =>
      MOVING.has(statement) ||
      flows.some(({ value }) => value.sources.size > 0 || value.unknown !== undefined) ||
      (flows.length > 0 && callsAny(facts, at, meaning)),
  ) === true;
const callsAny = ({ actions }: Facts, at: number, { catalog }: Meaning): boolean =>
  actions.some(
    ({ statement, resources }) =>
      statement === at &&
      resources.some(
        ({ type, name }) => type === 'function' && lastParts(name).some((one) => catalog.routinesNamed(one).length > 0),
      ),
  );
const MOVING: ReadonlySet<string> = new Set(['CreateTableAsStmt', 'RefreshMatViewStmt']);

/** Names without schemas, and for each the schemas that it may be in. */
export type MeantNames = ReadonlyMap<string, ReadonlySet<string> | 'any'>;

/** The relations and functions that it means, and those behind views, of the session too. What only defines means none. */
export function meantBy({
  facts,
  meaning,
  lineage,
  own,
}: Pick<Turn, 'facts' | 'meaning' | 'lineage' | 'own'>): MeantNames {
  const names = new Map<string, Set<string> | 'any'>();
  if (!lineage) return names;
  const add = (name: string, schema: string | undefined): void => {
    const schemas = names.get(name);
    if (schemas === 'any') return;
    if (schema === undefined) names.set(name, 'any');
    else if (schemas) schemas.add(schema);
    else names.set(name, new Set([schema]));
  };
  const { catalog } = meaning;
  // A text may make a view of the session, and read it.
  const made = lineage.flatMap((one) =>
    one.effects.flatMap((effect) => (effect.type === 'relation' ? effect.relation : [])),
  );
  const ofSession: readonly OwnRelation[] = [...own.values(), ...made];
  for (const { statement, effects, resources } of facts.actions) {
    const one = lineage[statement];
    if (!one || effects.every((effect) => effect === 'define' || effect === 'grant' || effect === 'session')) continue;
    const relations = new Set(one.relations);
    const written = new Set(resources.flatMap(({ name }) => lastParts(name)));
    for (const { name, reads = [] } of ofSession) if (written.has(name)) for (const oid of reads) relations.add(oid);
    for (const oid of relations) {
      const relation = catalog.relationByOid(oid);
      if (!relation) continue;
      add(relation.name, relation.schema);
      for (const child of catalog.childrenOf(oid)) relations.add(child.oid);
      for (const parent of relation.parents) relations.add(parent);
      if (relation.definition === undefined) continue;
      for (const read of meaning.lineage.of(relation.definition, catalog, newSession('', [])))
        for (const more of read.relations) relations.add(more);
      for (const name of namesIn(relation.definition)) if (catalog.routinesNamed(name).length > 0) add(name, undefined);
    }
    for (const { type, name } of resources) {
      for (const one of type === 'function' || type === 'table' ? readingsOf(name) : []) {
        if (type === 'function') add(one.name, undefined);
        // Which of its name it is, lineage has found out.
        else if (one.before === undefined && !names.has(one.name)) add(one.name, undefined);
        else if (one.before !== undefined) for (const schema of lastParts(one.before)) add(one.name, schema);
      }
    }
  }
  return names;
}

/** @param some with their schemas, where they were written so */
export const hasAny = (names: MeantNames, some: ReadonlySet<string>): boolean => {
  for (const one of some)
    for (const { before, name } of readingsOf(one)) {
      const schemas = names.get(name);
      if (schemas === undefined) continue;
      if (schemas === 'any' || before === undefined || before.includes('"')) return true;
      if (lastParts(before).some((schema) => schemas.has(schema))) return true;
    }
  return false;
};
