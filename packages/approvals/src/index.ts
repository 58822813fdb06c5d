export { Approvals } from './approvals.js';
export type { Held } from './open-requests.js';
export { type ChangedTable, OTHER_NAMES, estimated, looked, lookedAt } from './estimate.js';
export { mayReview, saysSomething } from './break-glass.js';
export { ApprovalError, type Storage, type Surroundings, type Told } from './ports.js';
export {
  askerOf,
  isKeptFrom,
  mayHaveAsked,
  withoutPreview,
  withoutSample,
  mayRelease,
  requirementOf,
  satisfied,
  type ReleaseQuestion,
  type Impact,
  type Preview,
  type Outcome,
  type ApprovalRequest,
  type Requirement,
  type Review,
  type ApproverProof,
  type Source,
  type TableImpact,
  type Whole,
  type Word,
} from './request.js';
