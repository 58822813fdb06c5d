export type { Cursor, SessionEffect, TemporaryRelation } from './effects.js';
export { Lineage, loadLineage } from './load.js';
export type { Flow, Output, Predicate, StatementLineage, FlowTarget } from './lineage.js';
export { type SessionReport, afterLook, lookText, readLook } from './look.js';
export { UNKNOWN_REASONS, type UnknownReason, isUnknownName, reasonOfPhrase } from './reasons.js';
export { effectivePath, listOf } from './analysis.js';
export { OTHERS_STATEMENTS } from './calls.js';
export { REDEFINED } from './relations.js';
export {
  CODE_BEHIND_WRITES,
  GOES_WITH_IT,
  bodiesInStandard,
  functionName,
  isSchemaName,
  schemaName,
} from './other-definitions.js';
export { KEEPS } from './setting-code.js';
export {
  type CompleteNames,
  EMPTY_OVERLAY,
  type Overlay,
  type SessionNames,
  afterEffects,
  atIdle,
  inFailedBlock,
  rolledBack,
  currentRole,
  newSession,
  storedIn,
  withInitial,
  withoutFunctions,
} from './session.js';
export { MAX_PARTS, documentOf, itemsOf, sizeOf } from './parts.js';
export type { Column, ValueKind, ValueParts, Value } from './value.js';
export { splitSearchPath } from './settings.js';
