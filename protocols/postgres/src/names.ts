/**
 * Prepared statements and portals of a session. Owns which the target has, and that there is room for them. Does not own what they do (the gate).
 */
import { hash } from 'node:crypto';
import type { StatementEffect } from '@sluice/contract';
import { PORTAL_BYTES, Roomy, type StatementRoom, statementBytes } from '@sluice/wire';
import type { Pipeline, CommandState, PreparedStatement } from './pipeline.js';

/** 'undecided': replies on their way decide it, so it has to wait for them. */
export type FoundName<T> = T | 'missing' | 'undecided';

/**
 * The session's prepared statements and portals as the target has them. An entry is made when the target confirms it:
 * a second Parse of a used name fails there and must not change what we believe the name to mean.
 */
export class Names {
  readonly #statements: Map<string, PreparedStatement>;
  readonly #portals: Map<string, CommandState>;
  /** Cursors of DECLARE. WITH HOLD they outlive their transaction, and the target knows which do. */
  readonly #cursors: Map<string, CommandState>;
  /** Statements with a name that code may have replaced since they were prepared. */
  readonly #unverified: Map<string, PreparedStatement>;
  /** Statements that the gateway has closed in order to prepare them again, and whose Parse has not been confirmed. */
  readonly #closed: Map<string, PreparedStatement>;
  readonly #pipeline: Pipeline;
  /** Is told of commands that were bound, and are gone before anybody executed them. */
  readonly #onUnused: (command: CommandState) => void;
  readonly #room: StatementRoom;

  constructor(pipeline: Pipeline, room: StatementRoom, onUnused: (command: CommandState) => void) {
    this.#pipeline = pipeline;
    this.#room = room;
    this.#onUnused = onUnused;
    const statements = (): Roomy<string, PreparedStatement> => new Roomy(room, bytesOf);
    const portals = (): Roomy<string, CommandState> => new Roomy(room, () => PORTAL_BYTES);
    [this.#statements, this.#unverified, this.#closed] = [statements(), statements(), statements()];
    [this.#portals, this.#cursors] = [portals(), portals()];
  }

  /** Whether another statement of this text, or another portal, may be kept. What goes by the same name goes first. */
  hasRoomFor(
    what: { readonly statement: string; readonly text: string; readonly types: number } | { readonly portal: string },
  ): boolean {
    if ('portal' in what) return this.#portals.has(what.portal) || this.#room.fits(PORTAL_BYTES);
    const before = this.#statements.get(what.statement);
    return this.#room.fits(statementBytes(what.text, what.types) - (before ? bytesOf(before) : 0));
  }

  /** The target has described a statement that it has: `learn` keeps what it says with it. */
  described(statement: PreparedStatement, learn: () => void): void {
    const before = bytesOf(statement);
    learn();
    this.#room.take(bytesOf(statement) - before);
  }

  /**
   * What a Bind or Describe sent now would find under this name.
   *
   * Since the last Sync the messages share one fate: had the Parse failed, what follows it would be skipped. So a pending
   * Parse of this stretch counts. Before that Sync they do not, and the answer has to wait.
   */
  statement(name: string): FoundName<PreparedStatement> {
    const last = this.#pipeline.lastOf('statement', name);
    if (last === 'undecided') return 'undecided';
    if (!last) return this.#statements.get(name) ?? 'missing';
    return last.type === 'parse' && last.statement ? last.statement : 'missing';
  }

  /** What `statement` finds; `again`: code may have replaced it, so that it has to be prepared again first. */
  usable(name: string): { readonly statement: FoundName<PreparedStatement>; readonly again: boolean } {
    const statement = this.statement(name);
    const known = this.#unverified.get(name) ?? this.#closed.get(name);
    const again = statement === 'missing' && !known?.fromSql && !this.#pipeline.lastOf('statement', name);
    return again && known ? { statement: known, again } : { statement, again: false };
  }

  /** Close and Parse of such a statement are on their way. */
  preparingAgain(name: string, statement: PreparedStatement): void {
    this.#forgetStatement(name);
    this.#closed.set(name, statement);
  }

  /** The command behind a portal: the Bind, or the DECLARE of a cursor. */
  portal(name: string): FoundName<CommandState> {
    const last = this.#pipeline.lastOf('portal', name);
    if (last === 'undecided') return 'undecided';
    if (!last) return this.#portals.get(name) ?? this.#cursors.get(name) ?? 'missing';
    return last.type === 'bind' && last.command ? last.command : 'missing';
  }

  /** Whether what `portal` has found is a cursor of DECLARE, and not a portal of Bind (which may run the DECLARE). */
  isCursor(name: string): boolean {
    return this.#cursors.has(name) && this.#pipeline.lastOf('portal', name) === undefined;
  }

  /** The text behind a name, for SQL-level EXECUTE. Call only when `answersDelivered`. */
  text(name: string): string | undefined {
    return this.#statements.get(name)?.text;
  }

  /** Nothing on its way could change what an SQL-level EXECUTE finds. */
  get noPendingNames(): boolean {
    return !this.#pipeline.changesNames;
  }

  /** Nothing on its way changes the search path, the role, or what a name stands for. */
  get noPendingSessionChange(): boolean {
    return !this.#pipeline.changesSession;
  }

  parsed(name: string, statement: PreparedStatement): void {
    this.#forgetStatement(name);
    this.#statements.set(name, statement);
  }

  /** The target has no two portals of one name: what we knew by it has gone there, as a savepoint was rolled back. */
  bound(portal: string, command: CommandState): void {
    this.#cursors.delete(portal);
    this.#dropPortal(portal);
    this.#portals.set(portal, command);
  }

  closed(kind: 'statement' | 'portal', name: string): void {
    if (kind === 'statement') this.#forgetStatement(name);
    else this.#forget(name);
  }

  /** A statement has completed: what it did to the names is now so. `meant`: what other names mean by now. */
  confirmed(effect: StatementEffect | undefined, command: CommandState, meant?: object): void {
    switch (effect?.type) {
      case 'prepare':
        this.#forgetStatement(effect.name);
        this.#statements.set(effect.name, {
          text: effect.text,
          types: [],
          fromSql: true,
          ...(meant && { meant }),
        });
        break;
      case 'deallocate':
        this.#forgetStatement(effect.name);
        break;
      case 'declare':
        this.#dropPortal(effect.name);
        this.#cursors.set(effect.name, command);
        break;
      case 'close':
        this.#forget(effect.name);
        break;
      case 'discard':
        this.#forgetStatement();
        this.#forget();
        break;
      default:
    }
  }

  /**
   * Code has run that may have put something else behind any name but the empty one.
   *
   * @param running what it ran for: the server does not let it close that portal
   */
  codeHasRun(running: CommandState): void {
    for (const [name, statement] of this.#statements) {
      if (name === '') continue;
      this.#statements.delete(name);
      this.#unverified.set(name, statement);
    }
    for (const [name, command] of [...this.#portals, ...this.#cursors])
      if (name !== '' && command !== running) this.#forget(name);
  }

  /** The target has said which statements it has: name, and SHA-256 of the text in hexadecimal digits. */
  verified(found: ReadonlyMap<string, string>): void {
    for (const [name, statement] of this.#unverified)
      if (found.get(name) === hash('sha256', statement.text)) this.#statements.set(name, statement);
    this.#unverified.clear();
  }

  /** Outside a transaction block only cursors WITH HOLD live on. */
  transactionEnded(pooled = false): void {
    for (const name of this.#portals.keys()) this.#dropPortal(name);
    // The unnamed statement of the next process is somebody else's.
    if (pooled) this.#forgetStatement();
  }

  /** @param name undefined for all */
  #forgetStatement(name?: string): void {
    for (const names of [this.#statements, this.#unverified, this.#closed]) {
      if (name === undefined) names.clear();
      else names.delete(name);
    }
  }

  #forget(portal?: string): void {
    for (const name of portal === undefined ? [...this.#portals.keys()] : [portal]) this.#dropPortal(name);
    if (portal === undefined) this.#cursors.clear();
    else this.#cursors.delete(portal);
  }

  #dropPortal(name: string): void {
    const command = this.#portals.get(name);
    if (!command) return;
    this.#portals.delete(name);
    if (!command.executed && !command.ended) this.#onUnused(command);
  }
}

const bytesOf = ({ text, types, description }: PreparedStatement): number =>
  statementBytes(text, types.length) + (description?.length ?? 0);
