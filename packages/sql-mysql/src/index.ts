/** The SQL of MySQL and MariaDB: what a text says, and what a statement does. */
export { type AnalysisContext, analyze } from './analyze.js';
export { linters } from './definition-costs/lint.js';
export { IMPACT, impactOf } from './impact.js';
export { MySqlLanguage } from './language.js';
export { tokensOf } from './lexer.js';
export { type Tokens, Unread } from './tokens.js';
export { type SqlReading, readingOf } from './reading.js';
export { rangesOf, statementsOf } from './texts.js';
export type * from './tree.js';

/** The thread that analyses long texts, see `AnalysisPool`. */
export const WORKER = new URL('./worker.js', import.meta.url);
export type { BaseColumn, Relation } from './catalog/objects.js';
export { readCatalog } from './catalog/read.js';
export { type Output, type StatementLineage, lineageOf, newSession } from './lineage/index.js';
export { type MySqlMaskedConnection, type MySqlOutside, MySqlMaskTargets } from './masks/targets.js';
export { MySqlMaskSession } from './masks/session.js';
