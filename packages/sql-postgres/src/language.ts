/**
 * PostgreSQL as a language: which grammar judges a command, and in which thread. Owns: the grammars that are loaded. Does not:
 * what a statement comes to (analyze.ts).
 */
import {
  type AnalysisPool,
  type Asker,
  MAX_INLINE_CHARACTERS,
  type Language,
  executedBy,
  keptValues,
} from '@sluice/analysis';
import type { Facts, SqlCommand } from '@sluice/contract';
import { type Analyzer, loadPostgres } from './analyze.js';
import { isCostly } from './costly.js';
import { MAJORS } from './grammar.js';

/** Shared by every session of the process. */
export class PostgresLanguage implements Language {
  readonly name = 'postgres';
  readonly #loaded = new Map<number, Analyzer>();
  readonly #pool: AnalysisPool;

  private constructor(pool: AnalysisPool) {
    this.#pool = pool;
  }

  /** With the newest grammar loaded, before anybody asks. */
  static async open(pool: AnalysisPool): Promise<PostgresLanguage> {
    const language = new PostgresLanguage(pool);
    await language.#load(Math.max(...MAJORS));
    return language;
  }

  /** Facts at once where that is quick: the grammar is loaded and the text is short. */
  analyze(command: SqlCommand, asker: Asker): Facts | Promise<Facts> {
    const analyzer = this.#loaded.get(majorOf(command));
    return (analyzer && analyzedInline(analyzer, command)) ?? this.#slowly(command, asker);
  }

  async #slowly(command: SqlCommand, asker: Asker): Promise<Facts> {
    const kept = keptValues(command);
    const facts = analyzedInline(await this.#load(majorOf(command)), kept);
    return facts ?? this.#inThread(kept, asker);
  }

  async #inThread(command: SqlCommand, asker: Asker): Promise<Facts> {
    const { text, parameters } = command;
    // The thread cannot look names up: the facts say which ones the text executes.
    const context = parameters ? { parameters } : {};
    const facts = await this.#pool.analyze(command.dialect, text, context, asker);
    const prepared = executedBy(command, facts);
    if (Object.keys(prepared).length === 0) return facts;
    return this.#pool.analyze(command.dialect, text, { ...context, prepared }, asker);
  }

  async #load(major: number): Promise<Analyzer> {
    const analyzer = await loadPostgres(major);
    this.#loaded.set(major, analyzer);
    return analyzer;
  }
}

/** Undefined where the text is none for this thread, or one that it executes. */
function analyzedInline(analyzer: Analyzer, command: SqlCommand): Facts | undefined {
  if (!isInline(command.text)) return undefined;
  let isLong = false;
  const prepared = (name: string): string | undefined => {
    const text = command.prepared?.(name);
    isLong ||= text !== undefined && !isInline(text);
    return isLong ? undefined : text;
  };
  const facts = analyzer.analyze(command.text, { ...command, prepared });
  return isLong ? undefined : facts;
}

const isInline = (text: string): boolean => text.length <= MAX_INLINE_CHARACTERS && !isCostly(text);

function majorOf({ dialect }: SqlCommand): number {
  if (dialect.name !== 'postgres') throw new TypeError(`PostgreSQL's grammar does not read ${dialect.name}`);
  return dialect.major;
}
