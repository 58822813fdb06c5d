/** Cursors of pages, signed, so that they lead only where this thread said. Does not: read. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { JournalPosition } from '@sluice/recording';

/** Where a page of a session begins. */
export interface PageCursor {
  /** Where to read from: parts of an answer whose end is not on an earlier page lie there. */
  readonly from: JournalPosition;
  /** Entries up to here were on an earlier page, */
  readonly after: JournalPosition;
  /** and so many of the record that begins there. */
  readonly entries: number;
}

const CURSOR_KEY = randomBytes(32);
const MAC_BYTES = 16;

/**
 * A cursor as its owner gets it, good for one session until the thread starts again. It is signed because a place that is
 * no record's beginning could make the answer of somebody else appear as part of one's own.
 */
export function sealCursor(session: string, { from, after, entries }: PageCursor): string {
  const text = [from.segment, from.offset, after.segment, after.offset, entries].join('.');
  return `${text}.${macOf(session, text).toString('base64url')}`;
}

/** Undefined when it is none of this session's. */
export function openCursor(session: string, cursor: string): PageCursor | undefined {
  const at = cursor.lastIndexOf('.');
  const text = cursor.slice(0, Math.max(0, at));
  const mac = Buffer.from(cursor.slice(at + 1), 'base64url');
  if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, macOf(session, text))) return undefined;
  const [segment = 0, offset = 0, afterSegment = 0, afterOffset = 0, entries = 0] = text.split('.').map(Number);
  return { from: { segment, offset }, after: { segment: afterSegment, offset: afterOffset }, entries };
}

const macOf = (session: string, text: string): Buffer =>
  createHmac('sha256', CURSOR_KEY).update(`${session} ${text}`).digest().subarray(0, MAC_BYTES);
