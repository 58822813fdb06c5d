/** Rules and facts to a decision. Pure. */
export { type PolicyContext, type TargetAnswers, type TargetAttribute, Unanswered } from './context.js';
export { type Explained, explain } from './explain.js';
export { judgesMessages } from './messages.js';
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
