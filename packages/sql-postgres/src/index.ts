/** The SQL of PostgreSQL: what a statement does, where each value of its result comes from, and what masks make of that. */
export { type AnalysisContext, type Analyzer, dialectOf, loadPostgres } from './analyze.js';
export { type Holder, commitImpactOf, watchLocks } from './commit-impact.js';
export { linter } from './definitions/lint.js';
export { MAJORS } from './grammar.js';
export { Catalog, type CatalogContents } from './catalog/catalog.js';
export type { Attribute, BaseColumn, Relation, Routine, Type } from './catalog/objects.js';
export type { CatalogQuery } from './catalog/query.js';
export { catalogVersion, readCatalog } from './catalog/read.js';
export { isSystemRelation } from './catalog/system-relations.js';
export { IMPACT, impactOf } from './impact.js';
export { PostgresLanguage } from './language.js';
export { previewOf } from './preview.js';
export * from './lineage/index.js';
export { isNotFollowed } from './masks/ahead.js';
export { announcement, refusalOf } from './masks/hidden.js';
export { MaskSession } from './masks/session.js';
export { type MaskedConnection, MaskTargets } from './masks/targets.js';
export { RowsInForce, rowsFaults, rowsSql } from './rows.js';
export { Estimates, type TargetQuestions, askFor } from './target-answers.js';

/** The thread that analyses long texts, see `AnalysisPool`. */
export const WORKER = new URL('./worker.js', import.meta.url);
