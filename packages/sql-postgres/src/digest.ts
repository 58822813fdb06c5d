/**
 * What masks follow a long text by, made in the thread that reads it. Owns: which constants a text can do without, and that nothing else
 * of it is missing. Does not own: which texts are long (`masks/followed.ts`), nor following them (lineage). Pure.
 */
import type { TextDigest } from '@sluice/contract';
import { type Node, type NodeFields, isFields, nodeOf, strings } from './ast.js';
import { isCostly, tooLong } from './costly.js';
import type { Parse } from './grammar.js';

/**
 * Up to here a long text is followed as it is, if little is written in it besides: a body of a function, a document. Each takes some milliseconds
 * of all sessions. Characters, and nodes of the tree.
 */
const MAX_WHOLE_CHARACTERS = 1024 * 1024;
const MAX_WHOLE_NODES = 10_000;

/** Statements that may have thousands of constants, or large ones. */
const DIGESTED: ReadonlySet<string> = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

const ASSIGNING: ReadonlySet<string> = new Set(['UpdateStmt', 'MergeWhenClause']);

/** Texts with a written type are shortened from here on: nothing shorter is a date, a number or a name that somebody looks at. Bytes. */
const MIN_TYPED_BYTES = 64;

/**
 * The text with short constants in place of those of which lineage looks at nothing but how many they are: in rows of VALUES, in SET, beside
 * `=` and its kin, in the list of an IN and in an array that is compared with ANY or ALL. Undefined where there is no such text that is short. What comes
 * out is parsed again, and has the tree of the text but for those constants: a wrong cut comes to nothing.
 */
export function digestOf(text: string, statements: readonly NodeFields[], parse: Parse): TextDigest | undefined {
  if (isReadAsItIs(text, statements)) return { type: 'text', text };
  const isRead = statements.every((statement) => DIGESTED.has(nodeOf(statement['stmt'])?.kind ?? ''));
  if (!isRead || statements.length === 0) return undefined;
  const source = Buffer.from(text);
  const cuts = cutsIn(source, statements);
  const shortened = [withoutComments(source, cuts), joined(source, cuts, (part) => part)].find((one) => {
    const parsed = tooLong(one) ? undefined : parse(one);
    return parsed?.ok && isSameBut(cuts, statements, parsed.statements);
  });
  return shortened === undefined ? undefined : { type: 'text', text: shortened };
}

const isReadAsItIs = (text: string, statements: readonly NodeFields[]): boolean =>
  text.length <= MAX_WHOLE_CHARACTERS && !isCostly(text) && !hasMoreNodes(statements, MAX_WHOLE_NODES);

function hasMoreNodes(tree: unknown, most: number): boolean {
  let left = most;
  const open = [tree];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (--left < 0) return true;
    for (const part of Object.values(node as object)) if (typeof part === 'object' && part !== null) open.push(part);
  }
  return false;
}

/** What masks read of a text: itself where that takes no time from others. */
export function followedText(text: string, digest: TextDigest | undefined): string | undefined {
  if (!tooLong(text)) return text;
  return digest?.type === 'text' ? digest.text : undefined;
}

/** A constant, and what stands in its place. Places are bytes of UTF-8, as the parser counts them. */
interface Cut {
  readonly start: number;
  readonly end: number;
  readonly by: string;
  /** Its fields in the tree. */
  readonly node: NodeFields;
}

/** In the order of the text. */
function cutsIn(source: Buffer, statements: readonly NodeFields[]): readonly Cut[] {
  const cuts: Cut[] = [];
  const open: unknown[] = [...statements];
  const take = (values: unknown, isWhole: boolean): void => {
    for (const value of Array.isArray(values) ? (values as unknown[]) : []) {
      const cut = cutOf(source, value, isWhole);
      if (cut) cuts.push(cut);
    }
  };
  for (let value = open.pop(); value !== undefined || open.length > 0; value = open.pop()) {
    if (Array.isArray(value)) for (const one of value as unknown[]) open.push(one);
    if (!isFields(value)) continue;
    const node = nodeOf(value);
    if (node?.kind === 'InsertStmt') {
      for (const row of rowsOf(nodeOf(node.fields['selectStmt'])?.fields)) take(itemsOf(row), true);
      const conflict = node.fields['onConflictClause'];
      if (isFields(conflict)) take(assignedIn(conflict), true);
    } else if (node?.kind === 'A_Expr') {
      take(listedIn(node.fields), false);
      take(comparedIn(node.fields), true);
    }
    if (node && ASSIGNING.has(node.kind)) take(assignedIn(node.fields), true);
    if (node?.kind === 'MergeWhenClause') take(node.fields['values'], true);
    for (const row of rowsOf(value)) take(itemsOf(row), false);
    for (const one of Object.values(value)) open.push(one);
  }
  return [...new Map(cuts.map((cut) => [cut.start, cut])).values()].sort((one, other) => one.start - other.start);
}

const rowsOf = (fields: NodeFields | undefined): readonly unknown[] => {
  const rows = fields?.['valuesLists'];
  return Array.isArray(rows) ? (rows as unknown[]) : [];
};
const itemsOf = (list: unknown): unknown => nodeOf(list)?.fields['items'];

const assignedIn = ({ targetList }: NodeFields): unknown[] =>
  Array.isArray(targetList) ? targetList.map((target) => nodeOf(target)?.fields['val']) : [];

/** The list of `IN (...)`, and the elements of `= ANY (ARRAY[...])`. */
function listedIn({ kind, rexpr }: NodeFields): unknown {
  if (kind === 'AEXPR_IN') return itemsOf(rexpr);
  const right = kind === 'AEXPR_OP_ANY' || kind === 'AEXPR_OP_ALL' ? nodeOf(rexpr) : undefined;
  return right?.kind === 'A_ArrayExpr' ? right.fields['elements'] : undefined;
}

/** Both sides of `a = b`. */
const comparedIn = ({ kind, name, lexpr, rexpr }: NodeFields): unknown[] =>
  kind === 'AEXPR_OP' && COMPARING.has(strings(name).at(-1) ?? '') ? [lexpr, rexpr] : [];
const COMPARING: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>=']);

/** @param isWhole it is one value: otherwise a text may be an array, whose elements are counted */
function cutOf(source: Buffer, value: unknown, isWhole: boolean): Cut | undefined {
  const node = nodeOf(value);
  const isTyped = node?.kind === 'TypeCast';
  const found: Node | undefined = isTyped ? nodeOf(node.fields['arg']) : node;
  if (found?.kind !== 'A_Const') return undefined;
  const start = Number(found.fields['location'] ?? 0);
  const by = inPlaceOf(found.fields, isWhole);
  const end = by === undefined ? undefined : endOf(source, start);
  if (by === undefined || end === undefined) return undefined;
  if (end - start <= (isTyped ? MIN_TYPED_BYTES : by.length)) return undefined;
  return { start, end, by, node: found.fields };
}

/** A short constant of the same kind and type. */
function inPlaceOf({ sval, ival, fval }: NodeFields, isWhole: boolean): string | undefined {
  if (isFields(sval)) return isWhole || !/[,;]/.test(String(sval['sval'] ?? '')) ? "''" : undefined;
  if (isFields(ival)) return '1';
  // A whole number that is too long for an integer is a bigint, or a numeric.
  return isFields(fval) && /^\d{11,18}$/.test(String(fval['fval'])) ? '2147483648' : undefined;
}

const QUOTE = 0x27;
const BACKSLASH = 0x5c;
const DOLLAR = 0x24;
/** A tag of a dollar quote, each byte a character. */
const TAG = /^\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$/;
/** It has as many bytes as a name. */
const MAX_TAG_BYTES = 66;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
/** `e` or `E`. */
const isEscaping = (byte: number | undefined): boolean => byte === 0x65 || byte === 0x45;

/** Where the constant ends that begins there; undefined where it is written in a way that is not cut. */
function endOf(source: Buffer, start: number): number | undefined {
  const first = source[start];
  if (first === QUOTE) return endOfQuoted(source, start + 1, false);
  if (isEscaping(first) && source[start + 1] === QUOTE) return endOfQuoted(source, start + 2, true);
  if (first === DOLLAR) {
    const tag = TAG.exec(source.toString('latin1', start, start + MAX_TAG_BYTES))?.[0];
    const closing = tag === undefined ? -1 : source.indexOf(tag, start + tag.length, 'latin1');
    return tag === undefined || closing < 0 ? undefined : closing + tag.length;
  }
  let at = start;
  while (isDigit(source[at])) at++;
  return at > start ? at : undefined;
}

function endOfQuoted(source: Buffer, from: number, escapes: boolean): number | undefined {
  for (let at = from; at < source.length; at++) {
    if (escapes && source[at] === BACKSLASH) at++;
    else if (source[at] === QUOTE && source[at + 1] !== QUOTE) return at + 1;
    else if (source[at] === QUOTE) at++;
  }
  return undefined;
}

function joined(source: Buffer, cuts: readonly Cut[], between: (part: string) => string): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, by } of cuts) {
    parts.push(between(source.toString('utf8', at, start)), by);
    at = end;
  }
  return [...parts, between(source.toString('utf8', at))].join('');
}

/** Where a comment stands in a text that stays, the tree is another one, and they all stay. */
const withoutComments = (source: Buffer, cuts: readonly Cut[]): string =>
  joined(source, cuts, (part) => part.replaceAll(/\/\*[^*/]*\*\//g, ' '));

/** Where something stands in the text, which is the only thing that a shorter one changes. */
const PLACES = /^(?:stmt_len|list_(?:start|end)|rexpr_list_(?:start|end))$|location$/;

/** Whether the trees are alike but for the constants that were cut, which are constants of the same kind. */
function isSameBut(cuts: readonly Cut[], before: readonly NodeFields[], after: readonly NodeFields[]): boolean {
  const replaced = new Set<unknown>(cuts.map(({ node }) => node));
  const open: [unknown, unknown][] = [[before, after]];
  for (let pair = open.pop(); pair; pair = open.pop()) {
    const [one, other] = pair;
    if (Array.isArray(one)) {
      if (!Array.isArray(other) || one.length !== other.length) return false;
      one.forEach((item, at) => open.push([item, other[at]]));
    } else if (!isFields(one)) {
      if (one !== other) return false;
    } else {
      if (!isFields(other)) return false;
      const keys = keysOf(one);
      if (keys.length !== keysOf(other).length || !keys.every((key) => key in other)) return false;
      // Of a constant the kind is a key: its value is below it.
      if (!replaced.has(one)) for (const key of keys) open.push([one[key], other[key]]);
    }
  }
  return true;
}

const keysOf = (fields: NodeFields): string[] => Object.keys(fields).filter((key) => !PLACES.test(key));
