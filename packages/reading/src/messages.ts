/** What the gateway and the thread that reads the record say to each other. Types only. */
import type { Protocol } from '@sluice/contract';
import type { JournalPosition } from '@sluice/recording';
import type { IndexedSession, IndexChange, SessionFilter } from '@sluice/store';
import type { Wanted } from './wanted.js';

/** What the gateway and the thread that reads the record say to each other. Types only. */

/** Makes what was recorded of answers readable; undefined where the protocol keeps answers as they were shown. */
export type Replay = NonNullable<Protocol['replay']>;

/** What the module at `ReadingStart.replays` exports. `packages`: of `ReadingStart`. */
export interface Replays {
  replayOf(protocol: string, packages: Readonly<Record<string, string>>): Promise<Replay | undefined>;
}

/** What the thread is started with. */
export interface ReadingStart {
  readonly folder: string;
  /** The name of the gateway's own chain in that folder: no other is shown to anybody. */
  readonly process: string;
  readonly index: string;
  /** Where the journal ended: what is before it and not in the index yet is read now. */
  readonly end: JournalPosition;
  /** Sessions that are open: their end is yet to come. */
  readonly live: readonly string[];
  /** Address of the module that knows the protocols: `Replays`. */
  readonly replays: string;
  /** Addresses of the code of protocols in packages of somebody else, by package. */
  readonly packages: Readonly<Record<string, string>>;
}

/** A session, in one of the ways that it can be had. */
export type SessionQuestion = {
  readonly session: IndexedSession;
  /** Where the journal ended when this was asked for. */
  readonly to: JournalPosition;
} & (
  | { readonly as: 'page'; readonly limit: number; readonly cursor?: string | undefined; readonly wanted?: Wanted }
  | { readonly as: 'ocsf' }
  | { readonly as: 'asciicast' | 'har'; readonly command?: number | undefined }
  /** `follow`: what is added after `to` is given to it happens. */
  | { readonly as: 'events'; readonly follow: boolean }
);

/** A question that has one answer. */
export type Question =
  | { readonly type: 'list'; readonly filter: SessionFilter }
  | { readonly type: 'find'; readonly id: string }
  /** What is damaged of what a session was recorded in. `to`: where the journal ended when this was asked for. */
  | { readonly type: 'damages'; readonly session: IndexedSession; readonly to: JournalPosition }
  | { readonly type: 'search'; readonly sought: Sought }
  | { readonly type: 'expired'; readonly keep: KeepTimes };

/** Commands that are looked for. Of whose sessions and on which connections: as in `SessionFilter`. */
export interface Sought extends Pick<SessionFilter, 'person' | 'connections' | 'principal' | 'connection'> {
  /** In the text of the command, whatever its case. */
  readonly text?: string | undefined;
  readonly decision?: 'allow' | 'deny' | 'hold' | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Only what is before the end of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
  /** Where the journal ended when this was asked for. */
  readonly to: JournalPosition;
}

export interface FoundCommand {
  readonly session: IndexedSession;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly command: number;
  /** Its start. */
  readonly text: string;
  readonly decision: 'allow' | 'deny' | 'hold';
  readonly rule?: string;
}

/** How long records stay, in milliseconds; Infinity: for ever. */
export interface KeepTimes {
  readonly connections: ReadonlyMap<string, number>;
  /** For what belongs to none of those. */
  readonly others: number;
}

/** A segment whose time is over, and the hash of its first record. */
export interface Expired {
  readonly segment: string;
  readonly first: string;
}

export interface SearchAnswer {
  readonly found: readonly FoundCommand[];
  /** What `before` of the next page is, where there is one. */
  readonly next?: string;
  /** What is damaged of what was read for it, and of the segments that it is on: sentences. */
  readonly damages: readonly string[];
}

export interface ThreadAnswer {
  readonly sessions: readonly IndexedSession[];
  readonly expired: readonly Expired[];
  /** Sentences. */
  readonly damages?: readonly string[];
  readonly search?: SearchAnswer;
}

/** A record that was added to a session that is followed. */
export interface LiveRecord {
  readonly header: string;
  readonly payload: Uint8Array;
}

export type ToThread =
  | { readonly type: 'changes'; readonly changes: readonly IndexChange[]; readonly position: JournalPosition }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'read'; readonly id: number; readonly request: SessionQuestion }
  /** The last chunk was taken. */
  | { readonly type: 'more'; readonly id: number }
  | { readonly type: 'cancel'; readonly id: number }
  /** There are no segments before this one any more. */
  | { readonly type: 'forget'; readonly before: number }
  | { readonly type: 'live'; readonly id: number; readonly records: readonly LiveRecord[] };

export type FromThread =
  | { readonly type: 'answer'; readonly id: number; readonly answer: ThreadAnswer }
  | { readonly type: 'chunk'; readonly id: number; readonly bytes: Uint8Array }
  /** `next`: the cursor of the page behind this one. */
  | { readonly type: 'done'; readonly id: number; readonly next?: string }
  /** `status`: the caller's own mistake, in words for them; without it, ours. */
  | { readonly type: 'failed'; readonly id: number; readonly message: string; readonly status?: 400 | 409 };
