export type { Flow, FlowTarget, Output, Predicate, StatementLineage } from './lineage.js';
export {
  type SessionEffect,
  type SessionNames,
  afterEffects,
  maybeAfter,
  newSession,
} from './session.js';
export { traceOf } from './lost.js';
export { lineageOf, lostLineage } from './statements.js';
export { type Column, NOTHING, type ValueKind, type Value } from './value.js';
