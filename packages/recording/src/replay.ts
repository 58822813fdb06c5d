/** Sessions out of the journal: a list of them, and what happened in one. Does not: find what is damaged (verify.ts). */
import type { HiddenCounts, ResponsePart } from '@sluice/contract';
import { type CommandHeader, type PartLengths, type RecordHeader, parseHeader, partsOf } from './events.js';
import { decode } from './format.js';
import type { JournalGap } from './range.js';
import { listSegments, readSegment } from './segments.js';

export interface JournalRecord {
  readonly header: RecordHeader;
  readonly payload: Buffer;
  readonly segment: string;
  /** Its place in the segment, from 1. */
  readonly record: number;
}

/**
 * The records of a folder in order, process by process, with bounded memory. Stops quietly at a record that is still being
 * written, and passes over one that cannot be read: what is wrong with a journal is for `verify` to say.
 *
 * @param wanted sees the bytes of each header before they are parsed, which is most of the cost of a long journal
 */
export function* readJournal(
  folder: string,
  wanted: (header: Buffer) => boolean = () => true,
): Generator<JournalRecord> {
  for (const { name } of listSegments(folder)) {
    let count = 0;
    for (const { record } of readSegment(folder, name)) {
      count++;
      const parts = decode(record);
      const header = parts && wanted(parts.header) ? parseHeader(parts.header) : undefined;
      if (parts && header) yield { header, payload: parts.payload, segment: name, record: count };
    }
  }
}

export interface SessionSummary {
  readonly id: string;
  readonly principal: string;
  readonly connection: string;
  readonly protocol: string;
  readonly client: string;
  readonly issuer?: string;
  readonly subject?: string;
  readonly started: number;
  readonly ended?: number;
  readonly reason?: string;
  /** Let through, and refused. */
  readonly commands: number;
  readonly denied: number;
}

const OPENED = Buffer.from('{"k":"opened"');
const CLOSED = Buffer.from('{"k":"closed"');
const LOGIN = Buffer.from('{"k":"login"');
const COMMAND = Buffer.from('{"k":"command"');
const MARKS = [OPENED, CLOSED, Buffer.from('{"k":"approval"')];
const SESSION = Buffer.from('"s":"');
/** In a string of the header its quotes would be escaped, so this is the member itself. */
const DENIED = Buffer.from('"decision":"deny"');

const starts = (header: Buffer, kind: Buffer): boolean => header.subarray(0, kind.length).equals(kind);

/** Whether a record says that a session began, ended, or got on after its end: what an index of sessions follows. */
export const marksSession = (header: Buffer): boolean => MARKS.some((kind) => starts(header, kind));

/** The session that a record belongs to, by the bytes of its header; undefined: to none, or a login that failed. */
export function sessionOf(header: Buffer): string | undefined {
  if (starts(header, LOGIN)) return undefined;
  const at = header.subarray(0, MAX_SESSION_OFFSET_BYTES).indexOf(SESSION);
  if (at < 0) return undefined;
  const from = at + SESSION.length;
  return header.toString('latin1', from, header.indexOf(0x22, from));
}

/** Counts of commands by session, taken from the bytes of headers. */
export class CommandCounts {
  readonly #counts = new Map<string, { commands: number; denied: number }>();

  add(header: Buffer): void {
    if (starts(header, COMMAND)) tally(this.#counts, header);
  }

  /** What was counted of a session, which is forgotten. */
  take(session: string): { commands: number; denied: number } {
    const counted = this.#counts.get(session) ?? { commands: 0, denied: 0 };
    this.#counts.delete(session);
    return counted;
  }
}

/** Every session on record, newest first. Those that are open, or were cut off, have no `ended`; their commands are counted. */
export function listSessions(folder: string): SessionSummary[] {
  const sessions = new Map<string, SessionSummary>();
  const counts = new Map<string, { commands: number; denied: number }>();
  const wanted = (header: Buffer): boolean => {
    if (starts(header, COMMAND)) tally(counts, header);
    return starts(header, OPENED) || starts(header, CLOSED);
  };
  for (const { header } of readJournal(folder, wanted)) {
    if (header.k === 'opened') {
      const { s: id, t: started, principal, connection, protocol, client, issuer, subject } = header;
      const known = { ...(issuer !== undefined && { issuer }), ...(subject !== undefined && { subject }) };
      sessions.set(id, { id, principal, connection, protocol, client, ...known, started, commands: 0, denied: 0 });
    } else if (header.k === 'closed') {
      const session = sessions.get(header.s);
      const { t: ended, reason, commands, denied } = header;
      if (session) sessions.set(header.s, { ...session, ended, reason, commands, denied });
      counts.delete(header.s);
    }
  }
  return [...sessions.values()]
    .map((session) => ({ ...session, ...counts.get(session.id) }))
    .sort((a, b) => b.started - a.started);
}

function tally(counts: Map<string, { commands: number; denied: number }>, header: Buffer): void {
  const from = header.indexOf(SESSION, COMMAND.length) + SESSION.length;
  const id = header.toString('latin1', from, header.indexOf(0x22, from));
  let sofar = counts.get(id);
  if (!sofar) counts.set(id, (sofar = { commands: 0, denied: 0 }));
  if (header.includes(DENIED)) sofar.denied++;
  else sofar.commands++;
}

/** One thing that happened in a session, `at` milliseconds after its start. */
export type ReplayEntry =
  | { readonly type: 'opened' | 'closed'; readonly at: number; readonly t: number; readonly summary: string }
  | ({ readonly type: 'command'; readonly at: number; readonly kind?: CommandHeader['type'] } & Omit<
      CommandHeader,
      'k' | 's' | 'type' | 'parts'
    >)
  /** What was said about a command that waited for people: `request 7: approve by ada, because it is urgent`. */
  | {
      readonly type: 'approval';
      readonly at: number;
      readonly t: number;
      readonly command: number;
      readonly request: number;
      readonly summary: string;
    }
  /** Something of the record is not there as it was written, and so of this session may not be: a sentence or two. */
  | {
      readonly type: 'gap';
      readonly at: number;
      readonly t: number;
      readonly kind: JournalGap['kind'];
      readonly summary: string;
    }
  /** What a program wrote, in the piece that it came in; or a change on its screen, see `ResponsePart`. */
  | {
      readonly type: 'output';
      readonly at: number;
      readonly t: number;
      readonly command: number;
      readonly stream: NonNullable<ResponsePart['stream']>;
      readonly data: Buffer;
    }
  | {
      readonly type: 'response';
      readonly at: number;
      readonly t: number;
      readonly command: number;
      readonly outcome: string;
      readonly summary: string;
      readonly rows: number;
      readonly bytes: number;
      readonly hidden?: HiddenCounts;
      /** What was kept of the answer, in the protocol's own encoding. */
      readonly data: Buffer;
    };

/** The entries of a session, which can be gone through more than once. */
export type ReplayEntries = Iterable<ReplayEntry> | AsyncIterable<ReplayEntry>;

/** The session's own member stands within this many bytes of a header's start, in front of all that a client chose. */
const MAX_SESSION_OFFSET_BYTES = 120;

/** Tells by the bytes of a header whether the record may be one of a session, which spares parsing those of others. */
export function isOf(session: string): (header: Buffer) => boolean {
  const mine = Buffer.from(`"s":${JSON.stringify(session)}`);
  return (header) => header.subarray(0, MAX_SESSION_OFFSET_BYTES).includes(mine);
}

/** A session from start to end. Empty when there is none of that name. */
export function timeline(folder: string, session: string): ReplayEntry[] {
  return [...new Timeline(session).read(folder)];
}

/** Makes entries of the records of one session, as they come. */
export class Timeline {
  readonly #session: string;
  readonly #parts = new Map<number, Buffer[]>();
  #start: number | undefined;
  /** Of the record that was seen last. */
  #last: number | undefined;

  /** `start`: when the session began, for whoever does not give its first record (milliseconds since 1970). */
  constructor(session: string, start?: number) {
    this.#session = session;
    this.#start = start;
    this.#last = start;
  }

  /** Those that are on disk. */
  *read(folder: string): Generator<ReplayEntry> {
    for (const { header, payload } of readJournal(folder, isOf(this.#session))) yield* this.entries(header, payload);
  }

  /** What a record says. Nothing for those of other sessions, and for parts of an answer that is not complete yet. */
  entries(header: RecordHeader, payload: Buffer): readonly ReplayEntry[] {
    if (!('s' in header) || header.s !== this.#session) return [];
    this.#start ??= header.t;
    this.#last = header.t;
    if (header.k !== 'command' && header.k !== 'end') return this.#entry(header, payload);
    const { rest, outputs } = this.#outputs(header, payload);
    // A request comes before its body, an answer ends behind its own.
    return header.k === 'command'
      ? [...this.#entry(header, rest), ...outputs]
      : [...outputs, ...this.#entry(header, rest)];
  }

  /** What is missing or changed between two records, at the time of the one before. */
  gap({ kind, what }: JournalGap): Extract<ReplayEntry, { type: 'gap' }> {
    const t = this.#last ?? 0;
    const summary =
      kind === 'expired'
        ? `Not all of this session is on record any more: ${what}.`
        : `The record is damaged: ${what}. What this session did there may be missing or changed here. Whoever runs the gateway looks at all of it with "sluice audit verify".`;
    return { type: 'gap', at: t - (this.#start ?? t), t, kind, summary };
  }

  /** Parts that are no records of their own. */
  #outputs(
    { id: command, t, parts: lengths }: { readonly id: number; readonly t: number; readonly parts?: PartLengths },
    payload: Buffer,
  ): { readonly outputs: readonly ReplayEntry[]; readonly rest: Buffer } {
    const { parts, rest } = partsOf(lengths, payload);
    const at = t - (this.#start ?? t);
    const outputs = parts.map(({ stream, data }) => {
      return { type: 'output', at, t, command, stream, data: Buffer.from(data) } as const;
    });
    return { outputs, rest };
  }

  #entry(header: Extract<RecordHeader, { readonly s: string }>, payload: Buffer): readonly ReplayEntry[] {
    this.#start ??= header.t;
    const at = header.t - this.#start;
    const { t } = header;
    switch (header.k) {
      case 'opened': {
        const summary = `${header.principal} on ${header.connection} from ${header.client}${shown(header)}`;
        return [{ type: 'opened', at, t, summary }];
      }
      case 'closed':
        return [{ type: 'closed', at, t, summary: header.reason }];
      case 'command': {
        const { k: _, s: __, parts: ___, type: kind, ...command } = header;
        return [{ type: 'command', at, ...(kind && { kind }), ...command }];
      }
      case 'part': {
        const data = Buffer.from(payload);
        if (header.st !== undefined) return [{ type: 'output', at, t, command: header.id, stream: header.st, data }];
        const sofar = this.#parts.get(header.id);
        if (sofar) sofar.push(data);
        else this.#parts.set(header.id, [data]);
        return [];
      }
      case 'end': {
        const { id, outcome, summary, rows, bytes, hidden } = header;
        const data = Buffer.concat([...(this.#parts.get(id) ?? []), payload]);
        this.#parts.delete(id);
        const answered = { type: 'response', at, t, command: id, outcome, summary, rows, bytes, data } as const;
        return [hidden ? { ...answered, hidden } : answered];
      }
      case 'approval': {
        const { id, request, event, actor, reason } = header;
        const who = (actor ? ` by ${actor}${shown(header)}` : '') + (reason ? `, ${reason}` : '');
        return [{ type: 'approval', at, t, command: id, request, summary: `request ${request}: ${event}${who}` }];
      }
      case 'login':
        return [];
      default:
        header satisfies never;
        return [];
    }
  }
}

/** ` (token abc, made by ada by operator)` */
const shown = ({ token, makers = [] }: { readonly token?: string; readonly makers?: readonly string[] }): string =>
  token === undefined ? '' : ` (token ${token}${makers.map((maker) => `, made by ${maker}`).join('')})`;
