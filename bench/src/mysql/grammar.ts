/**
 * `pnpm fuzz mysql-grammar`: our reading of texts against the servers' own. Owns: what counts as wrong. Does not: the suites' texts.
 *
 * Three questions: does our parser read what the server reads (each statement of the suites, prepared and never run); has a text the
 * same tokens there (MySQL: STATEMENT_DIGEST_TEXT); do operators bind the same way (evaluated as they are, and with the parentheses
 * of our tree).
 */
import { readingOf, statementsOf, tokensOf, Unread, type Expression } from '@sluice/sql-mysql';
import { differs } from './digest.js';
import { chain, parenthesised } from './precedence.js';
import type { Reader } from './server.js';
import { statementsBelow } from './suites.js';

export interface GrammarTally {
  /** Statements of the suite that the server reads; those that return rows or change them. */
  accepted: number;
  data: number;
  readonly unread: { readonly data: string[]; readonly other: string[] };
  digests: number;
  /** Explained differences by their kind. */
  readonly explained: Map<string, number>;
  readonly misread: string[];
  chains: number;
  readonly misbound: string[];
}

const DATA = /^(\/\*[^]*?\*\/\s*)*[\s(]*(select|insert|update|delete|replace|with|values|table)\b/i;

export const newTally = (): GrammarTally => ({
  accepted: 0,
  data: 0,
  unread: { data: [], other: [] },
  digests: 0,
  explained: new Map(),
  misread: [],
  chains: 0,
  misbound: [],
});

/** Each distinct statement of a suite, until the time is over; 0: all of them. */
export async function readSuite(reader: Reader, folder: string, seconds: number, tally: GrammarTally): Promise<void> {
  const reading = readingOf(reader.dialect);
  const end = seconds === 0 ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
  for (const text of statementsBelow(folder)) {
    if (performance.now() > end) return;
    if (!(await reader.takes(text))) continue;
    tally.accepted++;
    const isData = DATA.test(text);
    if (isData) tally.data++;
    try {
      statementsOf(text, reading);
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      (isData ? tally.unread.data : tally.unread.other).push(`${error.message}: ${text}`);
      continue;
    }
    if (reader.flavour === 'mysql') await compareDigest(reader, text, tally);
  }
}

async function compareDigest(reader: Reader, text: string, tally: GrammarTally): Promise<void> {
  const digest = await reader.value('select statement_digest_text(?)', text);
  if (typeof digest !== 'string') return;
  tally.digests++;
  const found = differs(tokensOf(text, readingOf(reader.dialect), 'every row'), digest);
  if (found === undefined) return;
  if (found.kind === undefined) tally.misread.push(`${found.ours} / ${found.theirs}: ${text}\n    ${digest}`);
  else tally.explained.set(found.kind, (tally.explained.get(found.kind) ?? 0) + 1);
}

/** Random chains of operators, evaluated as they are and with the parentheses of our tree. */
export async function compareBinding(
  reader: Reader,
  seed: number,
  seconds: number,
  tally: GrammarTally,
): Promise<void> {
  const reading = readingOf(reader.dialect);
  const seen = new Set<string>();
  const next = chain(seed, reader.flavour);
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    const text = next();
    if (seen.has(text)) continue;
    seen.add(text);
    const expression = expressionOf(`SELECT ${text}`, reading);
    const accepted = await reader.takes(`SELECT ${text}`);
    if (!accepted) continue;
    tally.chains++;
    if (!expression) {
      tally.misbound.push(`not read: ${text}`);
      continue;
    }
    const ours = parenthesised(expression);
    const [plain, grouped] = [await reader.value(`SELECT ${text}`), await reader.value(`SELECT ${ours}`)];
    if (String(plain) !== String(grouped))
      tally.misbound.push(`${text} = ${String(plain)}, but ${ours} = ${String(grouped)}`);
  }
}

function expressionOf(text: string, reading: ReturnType<typeof readingOf>): Expression | undefined {
  try {
    const [statement] = statementsOf(text, reading);
    if (statement?.kind !== 'query' || statement.query.kind !== 'select') return undefined;
    const [item] = statement.query.items;
    return item?.kind === 'item' ? item.value : undefined;
  } catch (error) {
    if (error instanceof Unread) return undefined;
    throw error;
  }
}
