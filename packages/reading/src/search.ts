/**
 * Commands on record that somebody looks for, over all sessions, the newest first. Owns: how far one question reads. Does not: say who may
 * see which (packages/control), or open the journal in any other way than the rest (packages/recording).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type CommandHeader,
  type JournalGap,
  type JournalPosition,
  comparePositions,
  listSegments,
  parseHeader,
  readRange,
} from '@sluice/recording';
import type { SessionFilter, SessionIndex } from '@sluice/store';
import type { FoundCommand, ReadingStart, SearchAnswer, Sought } from './messages.js';
import { MAX_DAMAGES } from './session-records.js';
import { lineOf, textOf } from './wanted.js';

/** Bytes that are read for one answer, and the rest of the segment that they end in (64 MiB at most). Where that is not enough, there is a next page. */
const MAX_SEARCHED_BYTES = 128 * 1024 * 1024;
/** Bytes that are read before others get their turn. */
const SLICE_BYTES = 1024 * 1024;
/** Of the text of each. Characters. */
const MAX_TEXT_CHARACTERS = 2_000;
const COMMAND = Buffer.from('{"k":"command"');
/** Its line is made of several texts of the header. */
const REQUEST = Buffer.from('"type":"request"');

interface Placed {
  readonly found: FoundCommand;
  readonly start: JournalPosition;
}

export async function search(index: SessionIndex, start: ReadingStart, sought: Sought): Promise<SearchAnswer> {
  const from = (sought.since === undefined ? undefined : index.placeBefore(sought.since)) ?? { segment: 0, offset: 0 };
  const to = earlier(sought.to, sought.before === undefined ? undefined : positionIn(sought.before));
  const found: FoundCommand[] = [];
  const damages: string[] = [];
  const onGap = ({ kind, what }: JournalGap): void => {
    if (kind === 'damaged' && damages.length < MAX_DAMAGES)
      damages.push(`The record is damaged: ${what}. Commands that were there may be missing or changed here.`);
  };
  const isSeen = visibleTo(index, sought);
  const matches = matcherOf(sought);
  let bytes = 0;
  const segments = listSegments(start.folder, start.process).filter(
    ({ number }) => number >= from.segment && number <= to.segment,
  );
  for (const [at, { number }] of [...segments.entries()].toReversed()) {
    const room = sought.limit - found.length;
    // The newest of a segment are at its end; one more tells that there are more.
    const here: Placed[] = [];
    // With those between it and the one before it, which are missing.
    const lower = segments[at - 1];
    const first = lower ? { segment: lower.number + 1, offset: 0 } : from;
    const last = at === segments.length - 1 ? to : { segment: number, offset: Infinity };
    let slice = 0;
    for (const { header, payload, start: place } of readRange(start.folder, start.process, first, last, onGap)) {
      slice += header.length + payload.length;
      if (slice > SLICE_BYTES) {
        bytes += slice;
        slice = 0;
        await nextTurn();
      }
      const command = header.subarray(0, COMMAND.length).equals(COMMAND) ? matches(header) : undefined;
      const session = command && isSeen(command.s);
      if (!command || !session) continue;
      here.push({ start: place, found: { session, ...foundIn(command) } });
      if (here.length > room + 1) here.shift();
    }
    bytes += slice;
    const taken = here.slice(-room);
    found.push(...taken.toReversed().map((one) => one.found));
    const [oldest] = taken;
    if (here.length > room && oldest) return { found, next: inText(oldest.start), damages };
    const isOver = found.length >= sought.limit || bytes > MAX_SEARCHED_BYTES;
    if (isOver && number > (segments[0]?.number ?? 0))
      return { found, next: inText({ segment: number, offset: 0 }), damages };
  }
  return { found, damages };
}

/** Those that the caller may see are asked for once each. */
function visibleTo(index: SessionIndex, sought: Sought): (id: string) => FoundCommand['session'] | undefined {
  const { person, connections, principal, connection } = sought;
  const filter: SessionFilter = { person, connections, principal, connection, limit: 1 };
  const known = new Map<string, FoundCommand['session'] | undefined>();
  return (id) => {
    if (!known.has(id)) known.set(id, index.list({ ...filter, id })[0]);
    return known.get(id);
  };
}

/** The command of a record, where it is one that is looked for. */
function matcherOf({ text, decision, since = -Infinity, until = Infinity }: Sought) {
  const needle = text?.toLowerCase();
  // As it stands in the JSON of a header: most of them are not parsed.
  const written = needle === undefined ? undefined : JSON.stringify(needle).slice(1, -1);
  return (bytes: Buffer): CommandHeader | undefined => {
    const isLikely = written === undefined || bytes.includes(REQUEST);
    if (!isLikely && !bytes.toString().toLowerCase().includes(written)) return undefined;
    const header = parseHeader(bytes);
    if (header?.k !== 'command' || header.t < since || header.t > until) return undefined;
    if (decision !== undefined && header.decision !== decision) return undefined;
    return needle === undefined || textOf(header).toLowerCase().includes(needle) ? header : undefined;
  };
}

const foundIn = (header: CommandHeader): Omit<FoundCommand, 'session'> => ({
  at: header.t,
  command: header.id,
  text: lineOf(header).slice(0, MAX_TEXT_CHARACTERS).toWellFormed(),
  decision: header.decision,
  ...(header.rule !== undefined && { rule: header.rule }),
});

/** Where to stop is no place that anything is read from: a caller may write what they like. */
function positionIn(text: string): JournalPosition {
  const [segment = 0, offset = 0] = text.split('.').map(Number);
  return { segment, offset };
}

const inText = ({ segment, offset }: JournalPosition): string => `${segment}.${offset}`;

const earlier = (one: JournalPosition, other: JournalPosition | undefined): JournalPosition =>
  other && comparePositions(other, one) < 0 ? other : one;
