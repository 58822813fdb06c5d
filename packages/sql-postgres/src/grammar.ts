/** The parsers of PostgreSQL by major version. Does not: understand what they give. */
import { type NodeFields, isFields } from './ast.js';
import { isCostly } from './costly.js';

/** PostgreSQL's own parser, one build for each major version, loaded when it is first needed. */
interface Parser {
  loadModule(): Promise<void>;
  parseSync(text: string): unknown;
}

/** Only one of the builds has the parser of PL/pgSQL, which is the same in all versions but for what it does not take. */
interface BodyParser extends Parser {
  parsePlPgSQLSync(text: string): unknown;
}
const PLPGSQL = (): Promise<unknown> => import('libpg-query-18');

const PARSERS: Readonly<Record<number, () => Promise<unknown>>> = {
  15: () => import('libpg-query-15'),
  16: () => import('libpg-query-16'),
  17: () => import('libpg-query-17'),
  18: () => import('libpg-query-18'),
};

export const MAJORS: readonly number[] = Object.keys(PARSERS).map(Number);

/** What a text parses to, or why it does not. */
export type ParsedText =
  | { readonly ok: true; readonly statements: readonly NodeFields[] }
  | { readonly ok: false; readonly message: string; readonly position?: number }
  /** It ran out of stack, which it does not recover from: this instance should not be used again. */
  | { readonly ok: false; readonly exhausted: true };

export type Parse = (text: string) => ParsedText;

/** What definitions in the catalog are read with. */
export interface Grammar extends Parse {
  /** The same for a text of the catalog, which one statement may come to again and again: a view, a body, an expression. */
  readonly definition: Parse;
  /** The tree of a CREATE FUNCTION in PL/pgSQL; undefined where it does not parse. */
  readonly plpgsql: (definition: string) => unknown;
}

/** Longer ones are not read: one takes some 100 ms of all sessions. Characters. */
export const MAX_DEFINITION_CHARACTERS = 256 * 1024;
/** Of all definitions whose trees are kept: each has some fifty bytes for a character. */
const MAX_KEPT_DEFINITIONS_CHARACTERS = 512 * 1024;

/** The last text that was parsed is not parsed again by who asks next, unless it is longer than this. Characters. */
const MAX_KEPT_CHARACTERS = 16 * 1024;
const loaded = new Map<number, Promise<Parse>>();

/** The same for all who read a version: facts, lineage and masks go through a text one after the other. Trees are only read. */
export function loadGrammar(major: number): Promise<Parse> {
  let parse = loaded.get(major);
  if (!parse) {
    parse = newGrammar(major).then(keepingLast);
    loaded.set(major, parse);
    parse.catch(() => loaded.delete(major));
  }
  return parse;
}

function keepingLast(parse: Parse): Parse {
  let [last, known]: [string | undefined, ParsedText | undefined] = [undefined, undefined];
  return (text) => {
    if (known && text === last) return known;
    const parsed = parse(text);
    const isKept = parsed.ok && text.length <= MAX_KEPT_CHARACTERS;
    [last, known] = isKept ? [text, parsed] : [undefined, undefined];
    return parsed;
  };
}

async function newGrammar(major: number): Promise<Parse> {
  const load = PARSERS[major];
  if (!load) throw new Error(`There is no grammar for PostgreSQL ${major}; there is one for ${MAJORS.join(', ')}.`);
  const parser = (await load()) as Parser;
  await parser.loadModule();
  return (text) => {
    // The parser refuses what has no statement in it; the server answers it with EmptyQueryResponse.
    if (text.trim() === '') return { ok: true, statements: [] };
    try {
      const tree = parser.parseSync(text);
      const statements = isFields(tree) && Array.isArray(tree['stmts']) ? tree['stmts'] : [];
      return { ok: true, statements: statements.filter(isFields) };
    } catch (error) {
      return !hasDetails(error) ? { ok: false, exhausted: true } : { ok: false, ...problem(error) };
    }
  };
}

/**
 * The same for the thread of the sessions, with bodies in PL/pgSQL: what would keep the others waiting is not read, whatever it is a part of, a body in
 * the catalog as well.
 */
export async function loadGrammarOfDefinitions(major: number): Promise<Grammar> {
  const parse = await loadGrammar(major);
  const bodies = (await PLPGSQL()) as BodyParser;
  await bodies.loadModule();
  const plpgsql = (definition: string): unknown => {
    if (isCostly(definition)) return undefined;
    try {
      return bodies.parsePlPgSQLSync(definition);
    } catch {
      return undefined;
    }
  };
  const read = (text: string): ParsedText => (isCostly(text) ? TOO_LONG : parse(text));
  const definition = keeping(read, MAX_KEPT_DEFINITIONS_CHARACTERS);
  return Object.assign(read, {
    plpgsql,
    definition: (text: string) => (text.length > MAX_DEFINITION_CHARACTERS ? TOO_LONG : definition(text)),
  });
}

const TOO_LONG: ParsedText = { ok: false, message: 'is too large to be followed' };

/** With what was read last, as many texts as have so many characters in all. */
function keeping(parse: Parse, mostCharacters: number): Parse {
  const kept = new Map<string, ParsedText>();
  let characters = 0;
  return (text) => {
    const known = kept.get(text);
    const parsed = known ?? parse(text);
    // The map is in the order of use.
    if (known) kept.delete(text);
    else characters += text.length;
    kept.set(text, parsed);
    for (const [oldest] of kept) {
      if (characters <= mostCharacters) break;
      kept.delete(oldest);
      characters -= oldest.length;
    }
    return parsed;
  };
}

const hasDetails = (error: unknown): boolean => (error as { sqlDetails?: object }).sqlDetails !== undefined;

/** The parser counts characters from 0; the protocol counts them from 1 (55.8, field P). */
function problem(error: unknown): { message: string; position?: number } {
  const { message, sqlDetails } = error as { message?: string; sqlDetails?: { cursorPosition?: number } };
  const position = sqlDetails?.cursorPosition;
  return {
    message: message ?? 'syntax error',
    ...(position !== undefined && position >= 0 && { position: position + 1 }),
  };
}
