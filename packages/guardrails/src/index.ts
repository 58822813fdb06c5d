/** Rules and facts to a decision. Pure. */
export {
  AnswerUnread,
  type AskedFor,
  type PolicyContext,
  type SeenAnswer,
  type SeenCode,
  type SeenWriting,
  type TableSize,
  type TargetAnswers,
  type TargetAttribute,
  Unanswered,
} from './context.js';
export { countedInAnswers } from './counting.js';
export { type Explained, explain } from './explain.js';
export { judgesMessages } from './messages.js';
export type { SeenTool } from './tool.js';
export { unreached } from './unreached.js';
export { CompiledPolicy, PolicyError, type PolicyProblem, compilePolicy } from './policy.js';
export { GATEWAY, type DenyCause, type PolicyDecision, type Verdict, unrefused } from './verdict.js';
