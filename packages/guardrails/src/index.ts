/** Rules and facts to a decision. Pure. */
export { type Explained, explain } from './explain.js';
export {
  CompiledPolicy,
  GATEWAY,
  type AppliedHold,
  type AppliedMask,
  type DenyCause,
  type MaskedUse,
  type PolicyContext,
  type PolicyDecision,
  PolicyError,
  type PolicyProblem,
  type Verdict,
  compilePolicy,
  unrefused,
} from './policy.js';
