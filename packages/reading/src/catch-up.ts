/** Brings the index of sessions up to the end of the journal. Does not: what a record changes in it (changes.ts). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  CommandCounts,
  type JournalPosition,
  comparePositions,
  marksSession,
  parseHeader,
  readRange,
} from '@sluice/recording';
import type { IndexChange, SessionIndex } from '@sluice/store';
import { changeOf } from './changes.js';
import type { ReadingStart } from './messages.js';

/** Changes that are kept in memory before they are written. */
const BATCH_CHANGES = 1_000;
/** Records that are read before others get their turn. */
const SLICE_RECORDS = 1_000;

/**
 * Brings the index up to where the journal ends: all of it where there was no index, else what was written after the index was
 * last. Sessions whose end is not on record by then were cut off by an end of the gateway; their commands are counted.
 */
export async function catchUp(index: SessionIndex, { folder, process, end, live }: ReadingStart): Promise<void> {
  // A journal that ends before the index does is another one, or was cut.
  if (comparePositions(index.position ?? end, end) > 0) index.clear();
  const position: JournalPosition = index.position ?? { segment: 0, offset: 0 };
  const cutOff = new Set<string>();
  let from = position;
  for (const session of index.unfinished()) {
    cutOff.add(session.id);
    if (comparePositions(session.from, from) < 0) from = session.from;
  }
  const counts = new CommandCounts();
  let changes: IndexChange[] = [];
  let records = 0;
  for (const record of readRange(folder, process, from, end)) {
    if (++records % SLICE_RECORDS === 0) await nextTurn();
    counts.add(record.header);
    const header = marksSession(record.header) ? parseHeader(record.header) : undefined;
    const change = header && changeOf(header, record.start, record.end);
    if (!change) continue;
    if (change.type === 'opened') cutOff.add(change.id);
    else if (change.type === 'closed') {
      cutOff.delete(change.id);
      counts.take(change.id);
    }
    if (comparePositions(record.start, position) >= 0) changes.push(change);
    if (changes.length < BATCH_CHANGES) continue;
    index.apply(changes, record.end);
    changes = [];
  }
  for (const id of live) cutOff.delete(id);
  for (const id of cutOff) changes.push({ type: 'counted', id, ...counts.take(id), to: end });
  index.apply(changes, end);
}
