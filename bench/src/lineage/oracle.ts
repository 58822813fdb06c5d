/**
 * Sources of output columns by the server's own analysis: `debug_print_rewritten` makes it print the Query that it will
 * plan, with names resolved and views expanded. Lives here: from that tree to sets of base columns. Field names are those
 * of src/include/nodes/parsenodes.h and primnodes.h.
 */
import { type Tree, type TreeNode, child, isNode, list, number, readTree, word } from './node-tree.js';

/** `relation oid.attnum`; `relation oid.0` for all of a row. */
export type Sources = ReadonlySet<string>;

export interface Expected {
  readonly name: string;
  readonly sources: Sources;
}

/** @param printed the text of the notice: a list of Query nodes. Undefined where none of them returns rows. */
export function expectedOutputs(printed: string): Expected[] | undefined {
  const tree = readTree(printed);
  const queries = (Array.isArray(tree) ? tree : [tree]).filter(isNode);
  const query = queries.find((one) => word(one, 'canSetTag') === 'true') ?? queries[0];
  if (!query || number(query, 'commandType') === UTILITY) return undefined;
  const columns = columnsOf(query, undefined);
  return outputs(query).map((entry, index) => ({
    name: unescape(word(entry, 'resname')),
    sources: columns[index] ?? NONE,
  }));
}

const UTILITY = 6;
const SELECT = 1;

interface Level {
  readonly query: TreeNode;
  readonly up: Level | undefined;
  /** Recursive CTEs on the way: what is known of their columns so far. */
  readonly open: Map<TreeNode, readonly Sources[]>;
}

/** The columns that a Query returns: its target list, or RETURNING. */
function outputs(query: TreeNode): TreeNode[] {
  const field = number(query, 'commandType') === SELECT ? 'targetList' : 'returningList';
  return list(query, field)
    .filter(isNode)
    .filter((entry) => word(entry, 'resjunk') !== 'true');
}

const NONE: Sources = new Set();
const EXISTS = 0;

function sourcesOf(tree: Tree | undefined, level: Level): Sources {
  const found = new Set<string>();
  gather(tree, level, found);
  return found;
}

function gather(tree: Tree | undefined, level: Level, into: Set<string>): void {
  if (Array.isArray(tree)) {
    for (const one of tree) gather(one, level, into);
    return;
  }
  if (!isNode(tree)) return;
  switch (tree.kind) {
    case 'VAR':
      return add(into, variable(tree, level));
    case 'SUBLINK':
      if (number(tree, 'subLinkType') === EXISTS) return;
      gather(tree.fields.get('testexpr'), level, into);
      return add(into, ...columnsOf(child(tree, 'subselect'), level));
    case 'WINDOWFUNC':
      add(into, windowKeys(level.query, number(tree, 'winref'), level));
      break;
    case 'FIELDSELECT': {
      const field = fieldOf(tree.fields.get('arg'), number(tree, 'fieldnum'), level);
      if (field) return add(into, field);
      break;
    }
    case 'QUERY':
      return add(into, ...columnsOf(tree, level));
  }
  for (const value of tree.fields.values()) gather(value, level, into);
}

function add(into: Set<string>, ...all: readonly Sources[]): void {
  for (const sources of all) for (const source of sources) into.add(source);
}

/** Sources of each column of a sub-query. */
function columnsOf(query: TreeNode | undefined, up: Level | undefined): Sources[] {
  if (!query) return [];
  const level: Level = { query, up, open: up?.open ?? new Map() };
  const operation = child(query, 'setOperations');
  const columns = outputs(query);
  if (!operation) return columns.map((entry) => sourcesOf(entry.fields.get('expr'), level));
  const arms = armsOf(operation).map((index) => rangeColumns(rangeEntry(query, index), level));
  return columns.map((_, at) => union(arms.map((arm) => arm[at] ?? NONE)));
}

function armsOf(tree: TreeNode | undefined): number[] {
  if (!tree) return [];
  if (tree.kind === 'RANGETBLREF') return [number(tree, 'rtindex')];
  return [...armsOf(child(tree, 'larg')), ...armsOf(child(tree, 'rarg'))];
}

const rangeEntry = (query: TreeNode, index: number): TreeNode | undefined =>
  list(query, 'rtable').filter(isNode)[index - 1];

const union = (all: readonly Sources[]): Sources => new Set(all.flatMap((sources) => [...sources]));

function variable(tree: TreeNode, level: Level): Sources {
  let at: Level | undefined = level;
  for (let up = number(tree, 'varlevelsup'); up > 0; up--) at = at?.up;
  if (!at) throw new Error('A variable belongs to no query.');
  const attnum = number(tree, 'varattno');
  if (attnum < 0) return NONE;
  const entry = rangeEntry(at.query, number(tree, 'varno'));
  if (!entry) throw new Error('A variable belongs to no relation.');
  if (number(entry, 'rtekind') === RELATION) return new Set([`${number(entry, 'relid')}.${attnum}`]);
  // A set operation's own target list names its first arm, which `columnsOf` never asks for.
  const columns = rangeColumns(entry, at);
  return attnum === 0 ? union(columns) : (columns[attnum - 1] ?? NONE);
}

/** One field of a row, where the row was put together in sight; else all of the row counts. */
function fieldOf(tree: Tree | undefined, field: number, level: Level): Sources | undefined {
  if (!isNode(tree)) return undefined;
  if (tree.kind === 'ROWEXPR') return sourcesOf(list(tree, 'args')[field - 1], level);
  if (tree.kind !== 'VAR') return undefined;
  let at: Level | undefined = level;
  for (let up = number(tree, 'varlevelsup'); up > 0; up--) at = at?.up;
  const entry = at && rangeEntry(at.query, number(tree, 'varno'));
  if (!at || !entry) return undefined;
  const attnum = number(tree, 'varattno');
  const kind = number(entry, 'rtekind');
  if (attnum === 0)
    return kind === RELATION ? new Set([`${number(entry, 'relid')}.${field}`]) : rangeColumns(entry, at)[field - 1];
  const query = kind === SUBQUERY ? child(entry, 'subquery') : undefined;
  if (!query || child(query, 'setOperations')) return undefined;
  return fieldOf(outputs(query)[attnum - 1]?.fields.get('expr'), field, { query, up: at, open: at.open });
}

const RELATION = 0;
const SUBQUERY = 1;
const JOIN = 2;
const FUNCTION = 3;
const TABLE_FUNCTION = 4;
const VALUES = 5;
const CTE = 6;
const GROUP = 9;

/** Sources of the columns of a range table entry. */
function rangeColumns(entry: TreeNode | undefined, level: Level): Sources[] {
  if (!entry) return [];
  switch (number(entry, 'rtekind')) {
    case SUBQUERY:
      return columnsOf(child(entry, 'subquery'), level);
    case JOIN:
      return list(entry, 'joinaliasvars').map((one) => sourcesOf(one, level));
    case GROUP:
      return list(entry, 'groupexprs').map((one) => sourcesOf(one, level));
    case FUNCTION:
      return list(entry, 'functions')
        .filter(isNode)
        .flatMap((one) =>
          Array.from({ length: Math.max(number(one, 'funccolcount'), 1) }, () =>
            sourcesOf(one.fields.get('funcexpr'), level),
          ),
        );
    case TABLE_FUNCTION:
      return list(child(entry, 'tablefunc') ?? entry, 'colnames').map((_, index) =>
        index === number(child(entry, 'tablefunc') ?? entry, 'ordinalitycol')
          ? NONE
          : sourcesOf(entry.fields.get('tablefunc'), level),
      );
    case VALUES: {
      const rows = list(entry, 'values_lists').map((row) => (Array.isArray(row) ? row : [row]));
      return (rows[0] ?? []).map((_, at) => union(rows.map((row) => sourcesOf(row[at], level))));
    }
    case CTE:
      return cteColumns(entry, level);
    default:
      return [];
  }
}

function cteColumns(entry: TreeNode, level: Level): Sources[] {
  let at: Level | undefined = level;
  for (let up = number(entry, 'ctelevelsup'); up > 0; up--) at = at?.up;
  const named =
    at &&
    list(at.query, 'cteList')
      .filter(isNode)
      .find((one) => word(one, 'ctename') === word(entry, 'ctename'));
  if (!at || !named) throw new Error('A WITH query is missing.');
  const known = at.open.get(named);
  if (known) return [...known];
  let columns: Sources[] = [];
  // To a fixpoint; sources only ever grow.
  for (let size = -1; ; ) {
    at.open.set(named, columns);
    columns = columnsOf(child(named, 'ctequery'), at);
    const now = columns.reduce((sum, sources) => sum + sources.size, 0);
    if (now === size) break;
    size = now;
  }
  at.open.delete(named);
  const names = list(named, 'ctecolnames').length;
  const all = union(columns);
  // SEARCH and CYCLE add columns that are made of others.
  return Array.from(
    { length: Math.max(names, columns.length) },
    (_, index) => columns[index] ?? (names > 0 ? all : NONE),
  );
}

function windowKeys(query: TreeNode, winref: number, level: Level): Sources {
  const clause = list(query, 'windowClause')
    .filter(isNode)
    .find((one) => number(one, 'winref') === winref);
  const references = clause ? [...list(clause, 'partitionClause'), ...list(clause, 'orderClause')].filter(isNode) : [];
  const targets = list(query, 'targetList').filter(isNode);
  const keys = references.map((one) =>
    targets.find((entry) => number(entry, 'ressortgroupref') === number(one, 'tleSortGroupRef')),
  );
  return union(
    keys.map((entry) => (entry && !contains(entry, 'WINDOWFUNC') ? sourcesOf(entry.fields.get('expr'), level) : NONE)),
  );
}

function contains(tree: Tree | undefined, kind: string): boolean {
  if (Array.isArray(tree)) return tree.some((one) => contains(one, kind));
  return isNode(tree) && (tree.kind === kind || [...tree.fields.values()].some((one) => contains(one, kind)));
}

/** Names are written as words, with a backslash before what would end one (outToken). */
const unescape = (name: string): string => name.replaceAll(/\\([^])/g, '$1').replace(/^"|"$/g, '');
