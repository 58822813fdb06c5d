/**
 * Reads a migration and tells what in it is known to hurt. Owns: what earlier statements of the text change about later ones
 * (tables that are new, transactions). Does not: say what a definition costs (definition.ts), nor print.
 */
import type { Finding, LintReport, Linter } from '@sluice/analysis';
import { type NodeFields, type Node, isFields, nodeOf, nodesOf, relationName, strings, text } from '../ast.js';
import { MAJORS, type Parse, loadGrammar } from '../grammar.js';
import { type Cost, DANGERS, type Danger } from './cost.js';
import { costOf } from './definition.js';

/** @throws SyntaxError with line and words of the parser for what is no SQL of that major version */
export async function lintDefinitions(source: string, major: number): Promise<LintReport> {
  const parse = await loadGrammar(major);
  const script = new Script();
  let definitions = 0;
  const findings: Finding[] = [];
  for (const { node, line } of statementsOf(source, parse)) {
    const { cost, dangers } = script.read(node);
    if (cost) definitions++;
    const lock = cost?.lock && { lock: cost.lock };
    for (const danger of dangers) findings.push({ line, danger, ...DANGERS[danger], ...lock });
  }
  return { definitions, findings };
}

export const linter: Linter = {
  dialect: 'postgres',
  server: 'PostgreSQL',
  version: '18',
  dangers: DANGERS,
  doubt: (version) => (MAJORS.includes(Number(version)) ? undefined : `is one of ${MAJORS.join(', ')}`),
  lint: (source, version) => lintDefinitions(source, Number(version)),
};

interface Statement {
  readonly node: Node;
  readonly line: number;
}

function statementsOf(source: string, parse: Parse): Statement[] {
  const bytes = Buffer.from(source);
  const parsed = parse(source);
  if ('exhausted' in parsed) throw new SyntaxError('it is nested too deeply to be read');
  if (!parsed.ok) {
    const before = Array.from(source)
      .slice(0, (parsed.position ?? 1) - 1)
      .join('');
    throw new SyntaxError(`line ${linesIn(before) + 1}: ${parsed.message}`);
  }
  return parsed.statements.flatMap((statement) => {
    const node = nodeOf(statement['stmt']);
    if (!node) return [];
    // A statement begins behind the semicolon of the one before it: blanks and comments come first.
    const start = Number(statement['stmt_location'] ?? 0);
    const length = Number(statement['stmt_len'] ?? 0);
    const written = bytes.toString('utf8', start, length === 0 ? undefined : start + length);
    const lead = LEAD.exec(written)?.[0] ?? '';
    return [{ node, line: linesIn(bytes.toString('utf8', 0, start)) + linesIn(lead) + 1 }];
  });
}

/** Blanks and comments; a block comment that holds another one ends at the first end, which only shifts a line. */
const LEAD = /^(?:\s|--[^\n]*\n?|\/\*(?:[^*]|\*(?!\/))*\*\/)*/;

const linesIn = (written: string): number => written.split('\n').length - 1;

/** What is known of a text that is read from its start. */
class Script {
  readonly #fresh = new Set<string>();
  #inTransaction = false;

  read(node: Node): { cost: Cost | undefined; dangers: readonly Danger[] } {
    this.#follow(node);
    const cost = costOf(node);
    const dangers = cost && !this.#isFresh(node) ? [...cost.dangers] : [];
    if (this.#inTransaction && isConcurrent(node)) dangers.push('concurrently-in-transaction');
    return { cost, dangers };
  }

  #follow({ kind, fields }: Node): void {
    if (kind === 'TransactionStmt') {
      const what = text(fields, 'kind').replace('TRANS_STMT_', '');
      if (what === 'BEGIN' || what === 'START') this.#inTransaction = true;
      else if (ENDS.has(what)) this.#inTransaction = fields['chain'] === true;
    }
    if (kind === 'CreateStmt' && fields['if_not_exists'] !== true) this.#add(fields['relation']);
    if (kind === 'CreateTableAsStmt' && fields['if_not_exists'] !== true && isFields(fields['into']))
      this.#add(fields['into']['rel']);
  }

  #add(relation: unknown): void {
    if (isFields(relation)) this.#fresh.add(relationName(relation));
  }

  /** It is about tables that this text has made: nobody uses them yet. */
  #isFresh({ kind, fields }: Node): boolean {
    const about =
      kind === 'DropStmt' || kind === 'TruncateStmt'
        ? namesOf(fields['objects'] ?? fields['relations'])
        : subjectOf(fields);
    return about.length > 0 && about.every((name) => this.#fresh.has(name));
  }
}

const ENDS: ReadonlySet<string> = new Set(['COMMIT', 'ROLLBACK', 'PREPARE']);

const subjectOf = (fields: NodeFields): string[] =>
  isFields(fields['relation']) ? [relationName(fields['relation'])] : [];

const namesOf = (objects: unknown): string[] =>
  nodesOf(objects).map(({ kind, fields }) =>
    kind === 'List' ? strings(fields['items']).join('.') : relationName(fields),
  );

const isConcurrent = ({ kind, fields }: Node): boolean =>
  (fields['concurrent'] === true && kind !== 'RefreshMatViewStmt') ||
  (kind === 'ReindexStmt' &&
    nodesOf(fields['params']).some(({ fields: one }) => text(one, 'defname') === 'concurrently')) ||
  (kind === 'AlterTableStmt' &&
    nodesOf(fields['cmds']).some(({ fields: one }) => nodeOf(one['def'])?.fields['concurrent'] === true));
