/**
 * What the target still owes, in order. Owns that queue, and what is known of each command in it. Does not own what a
 * reply means. Pure.
 */
import type { Allow, AnswerMeter, Masking, ResultMasks, StatementEffect } from '@sluice/contract';
import type { RecordedAnswer } from '@sluice/wire';
import type { CellTexts } from './masked/encoded.js';
import type { RowEditor } from './masked/editor.js';
import type { OwedLook } from './look.js';

/** What is known of one command between its being let through and the end of its answer. */
export interface CommandState extends RecordedAnswer {
  /** What each top-level statement does to the session once the target confirms it. */
  readonly effects: readonly StatementEffect[];
  /** What was bound, for its description: the record of an answer holds the names of its columns. */
  readonly statement: PreparedStatement | undefined;
  /** See `Allow.reviewed`. */
  readonly reviewed: boolean;
  /** How many changes that people look at had been sent when it was bound. */
  readonly changesBefore: number;
  /** How its answer has to be changed, on a connection that masks anything. */
  readonly masking: Masking | undefined;
  /** What of its answer the client may have; undefined: all. */
  readonly meter: AnswerMeter | undefined;
  /** Its time is over: what the client reads in place of the target's error. Written by `PostgresConversation`. */
  late: Buffer | undefined;
  /** The target was asked to cancel it. */
  cancelled: boolean;
  /** What the rows that are coming go through; 'pass' once it is known that nothing is to be changed. */
  editor: RowEditor | 'pass' | undefined;
  /** An Execute of its portal has been sent. */
  executed: boolean;
  /** A Describe of its portal has been sent. */
  describeSent: boolean;
  described: boolean;
  /** Completed statements, which is the index of the one that runs now. */
  completed: number;
  failed: boolean;
}

export const commandState = (
  id: number,
  phase: CommandState['phase'],
  allowed: Pick<Allow, 'facts' | 'masking' | 'reviewed' | 'meter'>,
  statement?: PreparedStatement,
  changesBefore = 0,
): CommandState => ({
  id,
  phase,
  effects: allowed.facts.statements,
  statement,
  reviewed: allowed.reviewed === true,
  changesBefore,
  masking: allowed.masking,
  meter: allowed.meter,
  late: undefined,
  cancelled: false,
  editor: undefined,
  executed: false,
  describeSent: false,
  described: false,
  rows: 0,
  bytes: 0,
  kept: 0,
  full: false,
  completed: 0,
  summary: '',
  failed: false,
  ended: false,
  hidden: undefined,
});

/** A prepared statement, by protocol or by SQL: they share one name space. */
export interface PreparedStatement {
  readonly text: string;
  /** Declared by the client, then as the target describes them. */
  types: readonly number[];
  /** The RowDescription that a Describe of it was answered with. */
  description?: Buffer;
  /** What names meant when it was sent, on a connection with masks. */
  meant?: object;
  /** PREPARE in SQL made it, whose declared types are not known. */
  readonly fromSql?: true;
}

/** A stand-in went to the target in place of a refused message. */
export interface Substitution {
  /** What the client reads instead of the stand-in's error. */
  readonly bytes: Buffer;
  /** The SQLSTATE that the stand-in fails with: any other error is a genuine one, which the client gets. */
  readonly code: string;
}

/** What is asked of the target about a text that is refused anyway. */
export interface AskedMistake {
  /** What the client is told where the target finds nothing wrong, or something else. */
  readonly words: Buffer;
  /** Whether an error of the target is about what was asked. */
  readonly isMeant: (fields: ReadonlyMap<string, string>) => boolean;
}

/** What the value of a call by the function call protocol goes through. */
export interface MaskedCall {
  readonly masks: ResultMasks | undefined;
  readonly texts: CellTexts | undefined;
}

/** One reply, or run of replies, that the target owes. The client is owed the same, in the same order. */
export type Owed = {
  readonly refused?: Substitution;
  /** SQL may call something by the name that this closes or makes: what it stands for behind it, the reply decides. */
  readonly renames?: true;
} & (
  | {
      readonly type: 'query';
      readonly command?: CommandState;
      /** It is a call by the function call protocol, which answers with one value: what that goes through. */
      readonly call?: MaskedCall;
    }
  | {
      readonly type: 'parse';
      readonly command?: CommandState;
      readonly name?: string;
      readonly statement?: PreparedStatement;
      /** Sent by the gateway: the client does not see the reply. */
      readonly own?: true;
      /** It has a text that is refused, and the target is asked what is wrong with it. */
      readonly asked?: AskedMistake;
    }
  | { readonly type: 'bind'; readonly command?: CommandState; readonly portal?: string }
  /** Of a portal, which has a command, or of a statement. */
  | {
      readonly type: 'describe';
      readonly command?: CommandState;
      readonly statement?: PreparedStatement;
      /** Asked for by the gateway: the client does not see the reply. */
      readonly own?: true;
    }
  | { readonly type: 'execute'; readonly command?: CommandState }
  | {
      readonly type: 'close';
      readonly command?: undefined;
      readonly kind: 'statement' | 'portal';
      readonly name: string;
      readonly own?: true;
    }
  | { readonly type: 'sync'; readonly command?: undefined }
  /** A question of the gate's own, up to its Sync: the client sees nothing of the replies. */
  | OwedLook
);

/**
 * What the target still owes, oldest first. Postgres answers in the order of the questions, so this queue alone knows
 * which statement a row belongs to, and which error is the one that a stand-in provoked.
 *
 * Replies leave at the front only. So it is enough to keep the number of the last one of each kind: it is still owed, and
 * with it one of that kind, as long as its number is not below that of the head. No question costs more in a deep pipeline.
 */
export class Pipeline {
  #owed: Owed[] = [];
  /** Place of the head in `#owed`: what lies before it has been answered. */
  #head = 0;
  /** Number of what lies at place 0. Everything pushed has the number behind that of its predecessor. */
  #base = 0;
  #unflushed = false;
  readonly #last: Record<RememberedKind, number> = {
    sync: -1,
    stretch: -1,
    look: -1,
    session: -1,
    statements: -1,
    portals: -1,
    named: -1,
  };
  /** By name, the last Parse or Close of a statement, and the last Bind or Close of a portal. */
  readonly #pending = { statement: new Map<string, PendingName>(), portal: new Map<string, PendingName>() };

  get head(): Owed | undefined {
    return this.#owed[this.#head];
  }

  /** The command that the target carries out: what it answers before that may lie in its memory meanwhile. */
  get working(): CommandState | undefined {
    for (let at = this.#head; at < this.#owed.length; at++) {
      const owed = this.#owed[at];
      if (owed?.type === 'execute' || owed?.type === 'query') return owed.command;
    }
    return undefined;
  }

  get idle(): boolean {
    return this.#head === this.#owed.length;
  }

  /** Nothing is owed behind the head. */
  get headIsLast(): boolean {
    return this.#head === this.#owed.length - 1;
  }

  /** Messages went out that no Sync, simple query or Flush has followed: the target may be sitting on its replies. */
  get unflushed(): boolean {
    return this.#unflushed;
  }

  /** A Flush has been sent. */
  flushed(): void {
    this.#unflushed = false;
  }

  /** Messages of an extended query are on their way that no Sync has ended: where one fails, the target passes over the next. */
  get mayBeSkipped(): boolean {
    const last = this.idle ? undefined : this.#owed.at(-1);
    return last !== undefined && last.type !== 'look' && !endsStretch(last);
  }

  /** What is on its way is a look at the session, or has to be followed by one. */
  get needsLook(): boolean {
    return this.#owes('look');
  }

  /** A Sync is on its way. */
  get syncing(): boolean {
    return this.#owes('sync');
  }

  /** Something on its way changes the search path, the role, or what a name stands for. */
  get changesSession(): boolean {
    return this.#owes('session');
  }

  /** Something on its way changes what an SQL-level EXECUTE finds. */
  get changesNames(): boolean {
    return this.#owes('named') || this.#owes('statements');
  }

  /**
   * The last message on its way that decides what a name means. 'undecided': its reply has to come first, because a command
   * may change the name, or because what was sent since a later Sync is carried out even if that message fails.
   */
  lastOf(kind: 'statement' | 'portal', name: string): Owed | 'undecided' | undefined {
    const found = this.#pending[kind].get(name);
    const changed = this.#last[kind === 'statement' ? 'statements' : 'portals'];
    if (changed >= this.#number(this.#head) && changed > (found?.number ?? -1)) return 'undecided';
    if (!found) return undefined;
    return this.#last.stretch > found.number ? 'undecided' : found.owed;
  }

  push(owed: Owed): void {
    const number = this.#number(this.#owed.length);
    this.#owed.push(owed);
    this.#unflushed = owed.type !== 'sync' && owed.type !== 'query' && owed.type !== 'look';
    this.#remember(owed, number);
    const named = nameOf(owed);
    if (named) this.#pending[named.kind].set(named.name, { number, owed });
  }

  shift(): void {
    const { head } = this;
    if (!head) return;
    this.#forgetName(head);
    this.#head++;
    this.#forgetAnswered();
  }

  /**
   * After an error in an extended query the target reads on to the next Sync without a word (55.2.3). Drops what it will
   * never answer and returns it; `synced` tells whether the Sync is already on its way.
   */
  skipToSync(): { skipped: readonly Owed[]; synced: boolean } {
    const { syncing: synced } = this;
    let end = this.#head;
    while (end < this.#owed.length && this.#owed[end]?.type !== 'sync') end++;
    return { skipped: this.#remove(end - this.#head), synced };
  }

  /** Everything that is open, for a session that ends. */
  drain(): readonly Owed[] {
    return this.#remove(this.#owed.length - this.#head);
  }

  #owes(kind: RememberedKind): boolean {
    return this.#last[kind] >= this.#number(this.#head);
  }

  #number(place: number): number {
    return this.#base + place;
  }

  #remove(count: number): readonly Owed[] {
    const removed = this.#owed.slice(this.#head, this.#head + count);
    for (const owed of removed) this.#forgetName(owed);
    this.#head += removed.length;
    this.#forgetAnswered();
    return removed;
  }

  #forgetName(owed: Owed): void {
    const named = nameOf(owed);
    if (named && this.#pending[named.kind].get(named.name)?.owed === owed) this.#pending[named.kind].delete(named.name);
  }

  /** Keeps the number of the last one of each kind that this is. */
  #remember(owed: Owed, number: number): void {
    const last = this.#last;
    const { type, command } = owed;
    if (type === 'sync') last.sync = number;
    if (endsStretch(owed)) last.stretch = number;
    if (type === 'look') last.look = number;
    if (owed.type === 'parse' ? owed.name !== '' : owed.type === 'close' && owed.kind === 'statement')
      last.named = number;
    if (owed.renames) last.session = number;
    if (command?.phase !== 'run') return;
    if (command.masking?.runsCode) last.look = number;
    if (command.masking?.changesSession) last.session = number;
    if (type !== 'query' && type !== 'execute') return;
    for (const { type: effect } of command.effects) {
      if (effect === 'prepare' || effect === 'deallocate' || effect === 'discard') last.statements = number;
      if (effect === 'declare' || effect === 'close' || effect === 'discard') last.portals = number;
    }
  }

  /** Moves what is owed to the front, once that is the smaller part: taking single ones away there would move all each time. */
  #forgetAnswered(): void {
    if (this.#head * 2 < this.#owed.length) return;
    if (this.idle) this.#owed.length = 0;
    else this.#owed = this.#owed.slice(this.#head);
    this.#base += this.#head;
    this.#head = 0;
  }
}

interface PendingName {
  readonly number: number;
  readonly owed: Owed;
}

/** Kinds of which the last is remembered. `stretch`: what ends a run of messages that fail together. */
type RememberedKind = 'sync' | 'stretch' | 'look' | 'session' | 'statements' | 'portals' | 'named';

/** What fails, fails with all that follows it up to one of these. */
const endsStretch = ({ type }: Owed): boolean => type === 'sync' || type === 'query';

/** The name that a message gives or takes. A refused one does neither. */
function nameOf(owed: Owed): { readonly kind: 'statement' | 'portal'; readonly name: string } | undefined {
  if (owed.type === 'close') return owed;
  if (owed.type === 'parse' && owed.name !== undefined && owed.statement) return { kind: 'statement', name: owed.name };
  if (owed.type === 'bind' && owed.portal !== undefined && owed.command) return { kind: 'portal', name: owed.portal };
  return undefined;
}

/** A portal has one statement, however often it is executed. */
export const statementOf = (head: Owed, command: CommandState): number =>
  head.type === 'query' ? command.completed : 0;
