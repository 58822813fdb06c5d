/** What a command would do: a text in, facts out. Pure, but for the grammars that it loads. */
export { AnalysisPool, INLINE_LIMIT, openPool, type PoolContext, type PoolOptions } from './pool.js';
export { type AnalysisContext, type Analyzer, loadPostgres } from './sql/postgres/analyze.js';
export { MAJORS } from './sql/postgres/grammar.js';
