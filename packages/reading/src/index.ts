/** The record as it is read: a thread of its own that answers, and has the index of sessions. */
export type { Expired, FoundCommand, KeepTimes, Replay, Replays } from './messages.js';
export {
  ReadFailure,
  type SessionReading,
  Readings,
  type SessionQuestionWithoutEnd,
} from './reading.js';
