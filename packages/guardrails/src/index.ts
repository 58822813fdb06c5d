/** Rules and facts to a decision. Pure. */
export { type Explained, explain } from './explain.js';
export {
  CompiledPolicy,
  GATEWAY,
  type DenyCause,
  type PolicyContext,
  type PolicyDecision,
  PolicyError,
  type PolicyProblem,
  type Verdict,
  compilePolicy,
  unrefused,
} from './policy.js';
