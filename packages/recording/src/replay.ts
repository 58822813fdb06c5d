import type { CommandHeader, Header } from './events.js';
import { decode } from './format.js';
import { listSegments, readSegment } from './segments.js';

export interface JournalRecord {
  readonly header: Header;
  readonly payload: Buffer;
}

/**
 * The records of a folder in order, process by process. Stops quietly at a record that is still being written.
 *
 * @param wanted sees the header as text before it is parsed, which is most of the cost of a long journal
 */
export function* readJournal(
  folder: string,
  wanted: (header: string) => boolean = () => true,
): Generator<JournalRecord> {
  for (const { name } of listSegments(folder)) {
    for (const { record } of readSegment(folder, name)) {
      const parts = decode(record);
      if (parts && wanted(parts.header)) yield { header: JSON.parse(parts.header) as Header, payload: parts.payload };
    }
  }
}

export interface SessionSummary {
  readonly id: string;
  readonly principal: string;
  readonly connection: string;
  readonly protocol: string;
  readonly client: string;
  readonly started: number;
  readonly ended?: number;
  readonly reason?: string;
  readonly commands: number;
  readonly denied: number;
}

/** Every session on record, newest first. Those that are open, or were cut off, have no `ended`. */
export function listSessions(folder: string): SessionSummary[] {
  const sessions = new Map<string, SessionSummary>();
  for (const { header } of readJournal(
    folder,
    (text) => text.startsWith('{"k":"opened"') || text.startsWith('{"k":"closed"'),
  )) {
    if (header.k === 'opened') {
      const { s: id, t: started, principal, connection, protocol, client } = header;
      sessions.set(id, { id, principal, connection, protocol, client, started, commands: 0, denied: 0 });
    } else if (header.k === 'closed') {
      const session = sessions.get(header.s);
      const { t: ended, reason, commands, denied } = header;
      if (session) sessions.set(header.s, { ...session, ended, reason, commands, denied });
    }
  }
  return [...sessions.values()].reverse();
}

/** One thing that happened in a session, `at` milliseconds after its start. */
export type Entry =
  | { readonly type: 'opened' | 'closed'; readonly at: number; readonly t: number; readonly summary: string }
  | ({ readonly type: 'command'; readonly at: number } & Omit<CommandHeader, 'k' | 's'>)
  | {
      readonly type: 'response';
      readonly at: number;
      readonly t: number;
      readonly command: number;
      readonly outcome: string;
      readonly summary: string;
      readonly rows: number;
      readonly bytes: number;
      /** What was kept of the answer, in the protocol's own encoding. */
      readonly data: Buffer;
    };

/** A session from start to end. Empty when there is none of that name. */
export function timeline(folder: string, session: string): Entry[] {
  const entries: Entry[] = [];
  const parts = new Map<number, Buffer[]>();
  let start: number | undefined;
  const mine = `"s":${JSON.stringify(session)}`;
  for (const { header, payload } of readJournal(folder, (text) => text.slice(0, 120).includes(mine))) {
    start ??= header.t;
    const at = header.t - start;
    switch (header.k) {
      case 'opened':
        entries.push({
          type: 'opened',
          at,
          t: header.t,
          summary: `${header.principal} on ${header.connection} from ${header.client}`,
        });
        break;
      case 'closed':
        entries.push({ type: 'closed', at, t: header.t, summary: header.reason });
        break;
      case 'command': {
        const { k: _, s: __, ...command } = header;
        entries.push({ type: 'command', at, ...command });
        break;
      }
      case 'part':
        parts.set(header.id, [...(parts.get(header.id) ?? []), Buffer.from(payload)]);
        break;
      case 'end': {
        const { t, id, outcome, summary, rows, bytes } = header;
        const data = Buffer.concat([...(parts.get(id) ?? []), payload]);
        parts.delete(id);
        entries.push({ type: 'response', at, t, command: id, outcome, summary, rows, bytes, data });
        break;
      }
      default:
    }
  }
  return entries;
}
