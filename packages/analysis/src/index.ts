/** What a command would do: a text in, facts out. Pure, but for the grammars that it loads. */
export { analyzeShell } from './shell/index.js';
export {
  AnalysisPool,
  type Asker,
  INLINE_LIMIT,
  MAX_QUICK_CHARACTERS,
  openPool,
  type PoolContext,
  type PoolOptions,
} from './pool.js';
export { type AnalysisContext, type Analyzer, loadPostgres } from './sql/postgres/analyze.js';
export { MAJORS } from './sql/postgres/grammar.js';
export { Catalog, type CatalogContents } from './sql/postgres/catalog/catalog.js';
export type { Attribute, BaseColumn, Relation, Routine, Type } from './sql/postgres/catalog/objects.js';
export { type Query, catalogVersion, completeCatalog, readCatalog } from './sql/postgres/catalog/read.js';
export * from './sql/postgres/lineage/index.js';
