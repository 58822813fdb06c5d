export { Approvals, type Held } from './approvals.js';
export { type ChangedTable as Changed, estimated } from './estimate.js';
export { ApprovalError, type Storage, type Surroundings, type Told } from './ports.js';
export {
  askerOf,
  satisfied,
  type ReleaseQuestion as Asked,
  type Impact,
  type Outcome,
  type ApprovalRequest as Request,
  type Requirement,
  type ApproverProof as Shown,
  type Source,
  type TableImpact,
  type Whole,
  type Word,
} from './request.js';
