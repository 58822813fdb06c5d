/** The SQL of PostgreSQL: what a statement does, where each value of its result comes from, and what masks make of that. */
export { type AnalysisContext, type Analyzer, dialectOf, loadPostgres } from './analyze.js';
export { MAJORS } from './grammar.js';
export { Catalog, type CatalogContents } from './catalog/catalog.js';
export type { Attribute, BaseColumn, Relation, Routine, Type } from './catalog/objects.js';
export { type Query, catalogVersion, completeCatalog, readCatalog } from './catalog/read.js';
export { holdSetting } from './hold-setting.js';
export { impactOf } from './impact.js';
export * from './lineage/index.js';
export { MaskSession, NotNow, type Plan } from './masks/session.js';
export { MaskTargets } from './masks/targets.js';

/** The thread that analyses long texts, see `AnalysisPool`. */
export const WORKER = new URL('./worker.js', import.meta.url);
