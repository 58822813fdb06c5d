/** Rules and facts to a decision. Pure. */
export {
  AnswerUnread,
  type PolicyContext,
  type SeenAnswer,
  type SeenCode,
  type SeenWriting,
  type TargetAnswers,
  type TargetAttribute,
  Unanswered,
} from './context.js';
export { type Explained, explain } from './explain.js';
export {
  CompiledPolicy,
  GATEWAY,
  type DenyCause,
  type PolicyDecision,
  PolicyError,
  type PolicyProblem,
  type Verdict,
  compilePolicy,
  unrefused,
} from './policy.js';
