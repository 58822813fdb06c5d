/** What judging needs of a language, and threads that analyse long texts, fair to all who wait. */
export {
  type Language,
  type MaskPlan,
  type MaskPlanner,
  type NamesAtTarget,
  type HiddenColumn,
  type NotFollowed,
  type PlanAhead,
  NotNow,
  executedBy,
  keptValues,
} from './language.js';
export {
  announcementOf,
  type HiddenHints,
  type HiddenWords,
  hiddenCountsOf,
  hiddenRefusalOf,
} from './hidden-words.js';
export {
  AnalysisPool,
  type Asker,
  type Done,
  MAX_INLINE_CHARACTERS,
  type Job,
  MAX_QUICK_CHARACTERS,
  openPool,
  type PoolContext,
  type PoolOptions,
} from './pool.js';
export { FairQueue } from './fair-queue.js';
export { Turns } from './turns.js';
export {
  COMMON_DANGERS,
  type DangerWords,
  type Finding,
  type LintReport,
  type Linter,
  dangerWords,
} from './definition-costs.js';
