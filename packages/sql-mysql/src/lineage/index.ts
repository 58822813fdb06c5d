export type { Flow, Output, Predicate, StatementLineage, FlowTarget as Target } from './lineage.js';
export {
  type SessionEffect as Effect,
  type SessionNames as Session,
  afterEffects,
  maybeAfter,
  newSession,
} from './session.js';
export { lineageOf } from './statements.js';
export type { Column, ValueKind as Kind, Value } from './value.js';
