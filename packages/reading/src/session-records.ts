/** The records of one session, and the gaps between them. Owns: that others get their turn meanwhile. Does not: make entries of them (reader.ts). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type JournalGap,
  type JournalPosition,
  type RecordHeader,
  Timeline,
  comparePositions,
  isOf,
  parseHeader,
  readRange,
} from '@sluice/recording';
import type { ReadingStart, SessionQuestion } from './messages.js';

/** Bytes of the journal that are read before others get their turn. */
const SLICE_BYTES = 1024 * 1024;
/** That are told in one answer: they go into a header, and whoever repairs a record does not need more sentences. */
export const MAX_DAMAGES = 10;

export interface StoredRecord {
  readonly header: RecordHeader;
  readonly payload: Buffer;
  readonly start: JournalPosition;
}

type Read = Pick<SessionQuestion, 'session' | 'to'>;

/** `busy`: others had their turn, and nothing was found so far. */
export async function* readSession(
  { folder, process }: Pick<ReadingStart, 'folder' | 'process'>,
  { session, to }: Read,
  from: JournalPosition,
): AsyncGenerator<StoredRecord | JournalGap | 'busy'> {
  const isMine = isOf(session.id);
  const last = session.to && comparePositions(session.to, to) < 0 ? session.to : to;
  let gaps: JournalGap[] = [];
  let bytes = 0;
  for (const { header, payload, start } of readRange(folder, process, from, last, (gap) => gaps.push(gap))) {
    bytes += header.length + payload.length;
    if (bytes > SLICE_BYTES) {
      bytes = 0;
      await nextTurn();
      yield 'busy';
    }
    if (gaps.length > 0) {
      yield* gaps;
      gaps = [];
    }
    const parsed = isMine(header) ? parseHeader(header) : undefined;
    if (parsed) yield { header: parsed, payload, start };
  }
  yield* gaps;
}

/** What is damaged of what a session was recorded in: sentences, and where there are many, how many more. */
export async function damagesOf(start: ReadingStart, read: Read): Promise<readonly string[]> {
  const timeline = new Timeline(read.session.id, read.session.started);
  const damages: string[] = [];
  let more = 0;
  for await (const one of readSession(start, read, read.session.from)) {
    if (one === 'busy' || !('what' in one) || one.kind === 'expired') continue;
    if (damages.length < MAX_DAMAGES) damages.push(timeline.gap(one).summary);
    else more++;
  }
  return more === 0 ? damages : [...damages, `The record is damaged in ${more} more places.`];
}
