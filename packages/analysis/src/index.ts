/** Threads that analyse long texts, fair to all who wait. The languages have packages of their own. */
export {
  AnalysisPool,
  type Asker,
  type Done,
  INLINE_LIMIT,
  type Job,
  MAX_QUICK_CHARACTERS,
  openPool,
  type PoolContext,
  type PoolOptions,
} from './pool.js';
