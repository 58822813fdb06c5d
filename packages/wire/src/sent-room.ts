/**
 * Memory for what clients send that is read whole before it goes on: messages of databases, bodies and messages by HTTP. Owns: how much of it one
 * principal may have under way, by all protocols. Does not: keep bytes.
 */
import { Room, type RoomBounds } from './room.js';
import { SessionRoom } from './session-room.js';

/** So many of the longest ones one principal may have under way, and all together. */
const LONGEST_OF_ONE = 4;
const LONGEST_OF_ALL = 16;

export const sent = new Room();

/** `longest`: what one of them may have at most, in bytes. */
export const sentBounds = (longest: number): RoomBounds => ({
  ofOne: longest * LONGEST_OF_ONE,
  all: longest * LONGEST_OF_ALL,
});

/** What of the messages of one session with a database is kept. */
export class MessageRoom extends SessionRoom {
  /** `longest`: what one message may have at most, in bytes. */
  constructor(who: string, longest: number) {
    super(sent, who, sentBounds(longest));
  }
}
