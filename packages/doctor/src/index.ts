/** What an operator looks at: whether all that a gateway needs is as it should be, and the file of its log. */
export { addOperatingCommands } from './commands.js';
export type { Finding } from './finding.js';
export { httpAnswer } from './http.js';
export { type TargetReach, examineTarget } from './targets.js';
