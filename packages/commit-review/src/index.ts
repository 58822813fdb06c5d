export { type ChangedTable, type ReviewedChanges, shownValue } from './changes.js';
export { CommitReview, type Entered, type ReviewedFacts } from './review.js';
