export type { Flow, Output, Predicate, StatementLineage, Target } from './lineage.js';
export { type Effect, type Session, afterEffects, maybeAfter, newSession } from './session.js';
export { lineageOf } from './statements.js';
export type { Column, Kind, Value } from './value.js';
