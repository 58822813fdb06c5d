/** The record as it is written: what goes into it, what waits for it, and who looks after it. */
export { CommitBarrier } from './commit-barrier.js';
export { Counters } from './counters.js';
export { HeldStream } from './held-stream.js';
export { type Actor, Log, actorOf, shownOf } from './log.js';
export { LOG_FILE, LogFile } from './log-file.js';
export { forPeople, operatorLog } from './operator-log.js';
export { HEAD_SETTING, RecordKeeper, type Room } from './record-keeper.js';
export type { SessionView } from './session-view.js';
export { type TargetFault, adviceOn, faultOf } from './target-faults.js';
export { nameOnRecord } from './text.js';
export { Webhooks } from './webhooks.js';
