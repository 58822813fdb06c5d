export { ApprovalError, Approvals, type Held, type Storage, type Told } from './approvals.js';
export {
  mayRelease,
  satisfied,
  type Asked,
  type Impact,
  type Outcome,
  type Request,
  type Requirement,
  type TableImpact,
  type Word,
} from './request.js';
