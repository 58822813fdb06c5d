export { Approvals, type Held } from './approvals.js';
export { type Changed, estimated } from './estimate.js';
export { ApprovalError, type Storage, type Surroundings, type Told } from './ports.js';
export {
  askerOf,
  satisfied,
  type Asked,
  type Impact,
  type Outcome,
  type Request,
  type Requirement,
  type Shown,
  type Source,
  type TableImpact,
  type Whole,
  type Word,
} from './request.js';
