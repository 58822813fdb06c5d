/** Which segments of the journal are to be kept no longer. Does not: remove them (packages/recording). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type JournalPosition,
  firstHash,
  isOf,
  listSeals,
  listSegments,
  parseHeader,
  readRange,
  sessionOf,
} from '@sluice/recording';
import type { SessionIndex } from '@sluice/store';
import type { Expired, KeepTimes, ReadingStart } from './messages.js';

/** Records that are read before others get their turn. */
const SLICE_RECORDS = 1_000;
/** Records that one write may have put between the place in the index and the record of a session's beginning. */
const MAX_SEARCHED_RECORDS = 10_000;

/**
 * The sealed segments whose time is over: the longest time of any connection that has records in them has passed since they were
 * sealed. The index says which those may be; what is in a segment decides, because whoever can write to the index must not have
 * the gateway remove a record.
 */
export async function findExpired(index: SessionIndex, start: ReadingStart, keep: KeepTimes): Promise<Expired[]> {
  const { folder, process } = start;
  const sealed = new Map(listSeals(folder, process).map((seal) => [seal.segment, Date.parse(seal.sealed)]));
  const now = Date.now();
  const expired: Expired[] = [];
  for (const { name, number } of listSegments(folder, process)) {
    const since = sealed.get(name);
    if (since === undefined) continue;
    const isOver = (connections: Iterable<string>): boolean => now - since > longest(connections, keep);
    if (!isOver(index.connectionsIn(number))) continue;
    const connections = await connectionsOf(index, start, number);
    const first = connections && isOver(connections) ? firstHash(folder, name) : undefined;
    if (first !== undefined) expired.push({ segment: name, first });
  }
  return expired;
}

/** How long what belongs to these stays, in milliseconds; without any, what belongs to none. */
function longest(connections: Iterable<string>, { connections: times, others }: KeepTimes): number {
  const all = Array.from(connections, (name) => times.get(name) ?? others);
  return all.length === 0 ? others : Math.max(...all);
}

/** The connections whose sessions have records in a segment; undefined when that cannot be told of one of them. */
async function connectionsOf(
  index: SessionIndex,
  start: ReadingStart,
  segment: number,
): Promise<Set<string> | undefined> {
  const { folder, process } = start;
  const sessions = new Set<string>();
  let records = 0;
  const whole: [JournalPosition, JournalPosition] = [
    { segment, offset: 0 },
    { segment, offset: Infinity },
  ];
  for (const { header } of readRange(folder, process, ...whole)) {
    if (++records % SLICE_RECORDS === 0) await nextTurn();
    const session = sessionOf(header);
    if (session !== undefined) sessions.add(session);
  }
  const there = new Set(listSegments(folder, process).map(({ number }) => number));
  const connections = new Set<string>();
  for (const id of sessions) {
    const session = index.find(id);
    if (!session) return undefined;
    // Where the record of its beginning was removed already, there is the index alone to go by.
    const connection = there.has(session.from.segment) ? openedOn(start, id, session.from) : session.connection;
    if (connection === undefined) return undefined;
    connections.add(connection);
  }
  return connections;
}

/** The connection of a session by the record of its beginning, which is at this place or soon behind it. */
function openedOn({ folder, process }: ReadingStart, id: string, from: JournalPosition): string | undefined {
  let records = 0;
  const isMine = isOf(id);
  for (const { header } of readRange(folder, process, from, { segment: from.segment, offset: Infinity })) {
    const parsed = isMine(header) ? parseHeader(header) : undefined;
    if (parsed?.k === 'opened' && parsed.s === id) return parsed.connection;
    if (++records > MAX_SEARCHED_RECORDS) return undefined;
  }
  return undefined;
}
