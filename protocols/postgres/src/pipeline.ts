import type { Allow, Masking, RowEditor, StatementEffect } from '@sluice/contract';
import type { OwedLook } from './look.js';

/** What is known of one command between its being let through and the end of its answer. */
export interface Running {
  readonly id: number;
  /** 'prepare' commands run nothing and close in silence unless they fail. */
  readonly phase: 'prepare' | 'run';
  /** What each top-level statement does to the session once the target confirms it. */
  readonly effects: readonly StatementEffect[];
  /** What was bound, for its description: the record of an answer holds the names of its columns. */
  readonly statement: Statement | undefined;
  /** How its answer has to be changed, on a connection that masks anything. */
  readonly masking: Masking | undefined;
  /** What the rows that are coming go through; 'pass' once it is known that nothing is to be changed. */
  editor: RowEditor | 'pass' | undefined;
  /** A Describe of its portal has been sent. */
  asked: boolean;
  described: boolean;
  rows: number;
  bytes: number;
  /** Bytes of the answer that went into the record so far. */
  kept: number;
  /** The record has all that it takes of this answer. */
  full: boolean;
  /** Completed statements, which is the index of the one that runs now. */
  completed: number;
  summary: string;
  failed: boolean;
  ended: boolean;
}

export const running = (
  id: number,
  phase: Running['phase'],
  allowed: Pick<Allow, 'facts' | 'masking'>,
  statement?: Statement,
): Running => ({
  id,
  phase,
  effects: allowed.facts.statements,
  statement,
  masking: allowed.masking,
  editor: undefined,
  asked: false,
  described: false,
  rows: 0,
  bytes: 0,
  kept: 0,
  full: false,
  completed: 0,
  summary: '',
  failed: false,
  ended: false,
});

/** A prepared statement, by protocol or by SQL: they share one name space. */
export interface Statement {
  readonly text: string;
  /** Declared by the client, then as the target describes them. */
  types: readonly number[];
  /** The RowDescription that a Describe of it was answered with. */
  description?: Buffer;
}

/** A stand-in went to the target in place of a refused message. */
export interface Refused {
  /** What the client reads instead of the stand-in's error. */
  readonly bytes: Buffer;
  /** The SQLSTATE that the stand-in fails with: any other error is a genuine one, which the client gets. */
  readonly code: string;
}

/** One reply, or run of replies, that the target owes. The client is owed the same, in the same order. */
export type Owed = { readonly refused?: Refused } & (
  | { readonly type: 'query'; readonly command?: Running }
  | { readonly type: 'parse'; readonly command?: Running; readonly name?: string; readonly statement?: Statement }
  | { readonly type: 'bind'; readonly command?: Running; readonly portal?: string }
  /** Of a portal, which has a command, or of a statement. */
  | {
      readonly type: 'describe';
      readonly command?: Running;
      readonly statement?: Statement;
      /** Asked for by the gateway: the client does not see the reply. */
      readonly own?: true;
    }
  | { readonly type: 'execute'; readonly command?: Running }
  | {
      readonly type: 'close';
      readonly command?: undefined;
      readonly kind: 'statement' | 'portal';
      readonly name: string;
    }
  | { readonly type: 'sync'; readonly command?: undefined }
  /** A question of the gate's own, up to its Sync: the client sees nothing of the replies. */
  | OwedLook
);

/**
 * What the target still owes, oldest first. Postgres answers in the order of the questions, so this queue alone knows
 * which statement a row belongs to, and which error is the one that a stand-in provoked.
 */
export class Pipeline {
  readonly #owed: Owed[] = [];
  #unflushed = false;

  get head(): Owed | undefined {
    return this.#owed[0];
  }

  get idle(): boolean {
    return this.#owed.length === 0;
  }

  /** Messages went out that no Sync, simple query or Flush has followed: the target may be sitting on its replies. */
  get unflushed(): boolean {
    return this.#unflushed;
  }

  /** A Flush has been sent. */
  flushed(): void {
    this.#unflushed = false;
  }

  /** What is on its way is a look at the session, or has to be followed by one. */
  get needsLook(): boolean {
    return this.#owed.some(
      ({ type, command }) => type === 'look' || (command?.phase === 'run' && command.masking?.runsCode === true),
    );
  }

  /** A Sync is on its way. */
  get syncing(): boolean {
    return this.#owed.some(({ type }) => type === 'sync');
  }

  push(owed: Owed): void {
    this.#owed.push(owed);
    this.#unflushed = owed.type !== 'sync' && owed.type !== 'query' && owed.type !== 'look';
  }

  shift(): void {
    this.#owed.shift();
  }

  /**
   * After an error in an extended query the target reads on to the next Sync without a word (55.2.3). Drops what it will
   * never answer and returns it; `synced` tells whether the Sync is already on its way.
   */
  skipToSync(): { skipped: readonly Owed[]; synced: boolean } {
    const at = this.#owed.findIndex((owed) => owed.type === 'sync');
    const skipped = this.#owed.splice(0, at < 0 ? this.#owed.length : at);
    return { skipped, synced: at >= 0 };
  }

  get length(): number {
    return this.#owed.length;
  }

  /** Oldest at 0. */
  at(index: number): Owed {
    return this.#owed[index] as Owed;
  }

  /** Everything that is open, for a session that ends. */
  drain(): readonly Owed[] {
    return this.#owed.splice(0);
  }
}
