/** WITH: what each name stands for. Owns: which names a query of WITH sees, and recursion. Does not: reading the queries. */
import type { CommonTable, Query, With } from '../tree.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { readQuery } from './query.js';
import { type WithQuery, type Scope, enclosed, renamed } from './scope.js';
import { type Column, NOTHING, either, same } from './value.js';

/** Rounds until nothing new flows through recursive queries: each round but the last brings a source. */
const MAX_ROUNDS = 100;

/** A query of WITH, as far as it has been read. */
interface State {
  readonly table: CommonTable;
  /** Its columns, or what is known of them so far. */
  columns?: readonly Column[];
  isOpen: boolean;
}

/** @returns the scope with these names before those around it */
export function withNamed(analysis: LineageAnalysis, scope: Scope, { recursive, tables }: With): Scope {
  const states = tables.map((table): State => ({ table, isOpen: false }));
  if (recursive) return withRecursive(analysis, scope, states);
  let { named } = scope;
  for (const state of states) {
    const before = named;
    const read = (): readonly Column[] =>
      (state.columns ??= columnsOf(analysis, state.table, enclosed({ ...scope, named: before })));
    named = { name: state.table.name, next: before, columns: read };
  }
  return { ...scope, named };
}

/** In MariaDB each sees all of them, in MySQL itself and those before it. */
function withRecursive(analysis: LineageAnalysis, scope: Scope, states: readonly State[]): Scope {
  const isMutual = analysis.catalog.contents.flavour === 'mariadb';
  const needed = new Set<State>();
  let isFinal = false;
  const chain = (visible: readonly State[], read: (state: State) => readonly Column[]): WithQuery | undefined =>
    visible.reduce<WithQuery | undefined>(
      (next, state) => ({ name: state.table.name, next, columns: () => read(state) }),
      scope.named,
    );
  const inside = (state: State, read: typeof current): Scope => {
    const visible = isMutual ? states : states.slice(0, states.indexOf(state) + 1);
    return enclosed({ ...scope, named: chain(visible, read) });
  };
  /** What is known so far: at first the columns of the part that does not recur, with nothing in them. */
  const current = (state: State): readonly Column[] => {
    needed.add(state);
    if (state.columns) return state.columns;
    if (state.isOpen) throw new Unsure('begins a recursive query with itself');
    state.isOpen = true;
    const { query, columns } = state.table;
    const first = renamed(firstOf(analysis, inside(state, current), query), columns);
    state.isOpen = false;
    return (state.columns = first.map((one) => ({ ...one, value: NOTHING })));
  };
  const round = (): boolean => {
    let hasChanged = false;
    for (const state of needed) {
      const before = current(state);
      const made = columnsOf(analysis, state.table, inside(state, current));
      if (made.length !== before.length) throw new Unsure('combines queries of different widths');
      const after = before.map((one, index) => ({ ...one, value: either([one.value, made[index]?.value ?? NOTHING]) }));
      hasChanged ||= after.some(({ value }, index) => !same(value, before[index]?.value ?? NOTHING));
      state.columns = after;
    }
    return hasChanged;
  };
  const finalColumns = (state: State): readonly Column[] => {
    if (isFinal && needed.has(state)) return current(state);
    current(state);
    for (let rounds = 0; round(); rounds++) if (rounds > MAX_ROUNDS) throw new Unsure('is too large to be followed');
    isFinal = true;
    return current(state);
  };
  return { ...scope, named: chain(states, finalColumns) };
}

const columnsOf = (analysis: LineageAnalysis, { query, columns }: CommonTable, scope: Scope): readonly Column[] =>
  renamed(readQuery(analysis, scope, query), columns);

/** The columns of the first arm of a set operation. */
function firstOf(analysis: LineageAnalysis, scope: Scope, query: Query): readonly Column[] {
  if (query.kind !== 'set' && query.kind !== 'nested') return readQuery(analysis, scope, query);
  const own = query.with ? withNamed(analysis, scope, query.with) : scope;
  return firstOf(analysis, own, query.kind === 'set' ? query.left : query.query);
}
