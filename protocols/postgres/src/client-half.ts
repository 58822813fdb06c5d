/**
 * The client's half of a conversation. Owns: what becomes of each message of the client. Does not: replies (target-half.ts),
 * what names stand for (names.ts).
 */
import { type Allow, type Answer, type Dialect, type StatementEffect, Unmasked } from '@sluice/contract';
import { SmallPieces, malformed, unexpected, unpinned } from '@sluice/wire';
import type { Shared } from './shared.js';
import { comesFirst, lookMessages } from './look.js';
import { type FoundFunction, callStatement, describeCall, readFunctionCall } from './function-call.js';
import { boundParameters, readBind, readExecute, readNamed, readParse, readQuery } from './client-messages.js';
import { B, F, HEADER_BYTES, message, messageLength } from './messages.js';
import { type AskedMistake, type Owed, type CommandState, type PreparedStatement, commandState } from './pipeline.js';
import { textCells } from './masked/encoded.js';
import { prepareAgain } from './prepare-again.js';
import {
  boundTooEarly,
  encodingStays,
  hiddenCursor,
  missingPortal,
  missingStatement,
  noRoom,
  pooledStatement,
  refusal,
  type StandIns,
  standIns,
  stopped,
  tooLong,
  tooMuchPrepared,
  unknownFunction,
  unreadableText,
  unmaskable,
} from './refusal.js';
import { askedOf, askingMessages, declaredTypes, textAndTypesOf, textOfQuery } from './syntax.js';
import { UTF8, UnreadableText, inEncoding } from './text-encoding.js';

/** What becomes of one client message. */
type Disposition = 'forward' | 'drop' | 'wait' | Buffer;

/** Messages that are read whole and are small by nature; a longer one is not what it says. */
const MAX_NAME_MESSAGE_BYTES = 64 * 1024;
const FLUSH = message(F.flush);
const SYNC = message(F.sync);
const PORTAL = Buffer.from('P');

/**
 * The client's half: takes its messages apart, has each command judged before the target sees a byte of it, and puts a
 * stand-in where one is refused. Bytes that nobody changes leave as the run they came in.
 */
export class ClientHalf {
  readonly #shared: Shared;
  readonly #terminate: () => void;
  readonly #standIn: StandIns;
  readonly #dialect: Dialect;
  readonly #prepared = (name: string): string | undefined => this.#shared.names.text(name);
  #chunks: Buffer[] = [];
  readonly #pieces = new SmallPieces();
  #size = 0;
  /** Bytes that have to be there before the next step can be taken. */
  #needed = HEADER_BYTES;
  /** Bytes of the current message that are still to come and pass, or are dropped, unseen. */
  #passing = 0;
  #dropping = 0;
  /** What the data is for that passes. */
  #copier: CommandState | undefined;
  /** Asked, and not yet answered. */
  #questionOpen = false;
  #answer: Answer | undefined;
  /** The function that the current message calls, once it is known. */
  #called: FoundFunction | undefined;
  /** A Flush of ours follows the bytes of this chunk. */
  #flushDue = false;
  /** Messages of an extended query were sent that no Sync has ended. */
  #unsynced = false;
  /** Something was executed since the last Sync, in a transaction that ends there. */
  executed = false;
  /** Something was executed of which the target may not have said yet that it is over. */
  #untold = false;
  /** The tag of the message behind the current one, where that has come. */
  #following = 0;
  #waiting = false;
  /** The message that has not come as a whole finds no room: it is refused, and dropped as it comes. */
  #isRoomless = false;
  /** Changes that were sent on, which people look at before their COMMIT, and what has taken some of them back. */
  #changes = 0;
  #id: number;

  constructor(shared: Shared, terminate: () => void) {
    this.#shared = shared;
    this.#terminate = terminate;
    this.#standIn = standIns(shared.unusedName);
    this.#dialect = { name: 'postgres', major: shared.major };
    this.#id = shared.commands;
  }

  get waitingBytes(): number {
    return this.#waiting ? this.#size : 0;
  }

  /** The target has had whole messages only. */
  get betweenMessages(): boolean {
    return this.#passing === 0;
  }

  receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (!this.#waiting && this.#size >= this.#needed) this.#run();
    if (!this.#shared.sent.hold(this.#size) && !this.#waiting) {
      this.#isRoomless = true;
      this.#run();
      this.#shared.sent.hold(this.#size);
    }
    // What is left of it is kept, and the chunk is only lent.
    const last = this.#chunks.at(-1);
    if (last?.buffer !== chunk.buffer) return;
    this.#chunks.pop();
    this.#pieces.add(this.#chunks, last);
  }

  answered(answer: Answer): void {
    this.#answer = answer;
    this.#questionOpen = false;
    this.#run();
    this.#shared.sent.hold(this.#size);
  }

  /** Takes up again what had to wait for replies. */
  resume(): void {
    if (!this.#waiting || this.#questionOpen || this.#size < this.#needed) return;
    this.#run();
    this.#shared.sent.hold(this.#size);
  }

  /** Makes the target send what it owes, without a further message of the client. */
  hurry(): void {
    const { pipeline, wires } = this.#shared;
    if (!pipeline.unflushed) return;
    pipeline.flushed();
    wires.send('upstream', FLUSH);
  }

  #run(): void {
    const chunk = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const end = chunk.length;
    let at = 0;
    let run = 0; // start of the bytes that pass as they came
    this.#waiting = false;
    this.#needed = HEADER_BYTES;
    const flush = (): void => {
      if (run < at) this.#shared.wires.send('upstream', run === 0 && at === end ? chunk : chunk.subarray(run, at));
    };

    while (at < end) {
      if (this.#passing > 0) {
        const size = Math.min(this.#passing, end - at);
        this.#passing -= size;
        if (this.#copier) this.#shared.recorder.sent(this.#copier, chunk.subarray(at, at + size));
        at += size;
        continue;
      }
      if (this.#dropping > 0) {
        flush();
        const size = Math.min(this.#dropping, end - at);
        this.#dropping -= size;
        run = at += size;
        continue;
      }
      if (end - at < HEADER_BYTES) break;
      const tag = chunk[at] as number;
      const size = 1 + messageLength(chunk, at);
      const available = Math.min(size, end - at);
      const isRoomless = this.#isRoomless && size > available && !this.#streams(tag);
      const isUnread = this.#oversize(tag, size) || isRoomless;
      if (size > available && !this.#streams(tag) && !isUnread) {
        this.#needed = size;
        break;
      }
      this.#following = at + size < end ? (chunk[at + size] as number) : 0;
      const disposition = isUnread
        ? this.#refuseUnread(tag, isRoomless ? noRoom() : tooLong(this.#shared.limits.message))
        : this.#messageOrRefusal(tag, size === end && at === 0 ? chunk : chunk.subarray(at, at + available));
      if (disposition === 'wait') {
        this.#waiting = true;
        this.#needed = size > available ? HEADER_BYTES : size;
        break;
      }
      this.#answer = undefined;
      this.#called = undefined;
      if (isUnread) this.#isRoomless = false;
      if (disposition === 'forward') {
        at += available;
        this.#passing = size - available;
        continue;
      }
      flush();
      run = at += available;
      this.#dropping = size - available;
      if (disposition !== 'drop') this.#shared.wires.send('upstream', disposition);
      if (tag === F.terminate) return this.#terminate();
    }
    flush();
    if (this.#flushDue) this.#shared.wires.send('upstream', FLUSH);
    this.#flushDue = false;
    const rest = at < end ? unpinned(chunk, at) : undefined;
    this.#chunks = rest ? [rest] : [];
    this.#size = rest?.length ?? 0;
  }

  /** COPY data is passed on as it arrives. */
  #streams(tag: number): boolean {
    return tag === F.copyData;
  }

  /** Too long to be read whole before it is judged. */
  #oversize(tag: number, size: number): boolean {
    if (tag === F.query || tag === F.parse || tag === F.bind || tag === F.functionCall)
      return size > this.#shared.limits.message;
    if (size > MAX_NAME_MESSAGE_BYTES && !this.#streams(tag)) throw malformed(`invalid message length: ${size}`);
    return false;
  }

  /** A text that is none the server answers with an error, and so does the gateway: nothing else is wrong with the session. */
  #messageOrRefusal(tag: number, bytes: Buffer): Disposition {
    try {
      return this.#message(tag, bytes);
    } catch (error) {
      if (!(error instanceof UnreadableText)) throw error;
      this.#unsynced = tag !== F.query && tag !== F.functionCall;
      const words = unreadableText(error.message);
      if (tag === F.parse) return this.#refuse({ type: 'parse' }, words, this.#standIn.parse);
      if (tag === F.bind) return this.#refuse({ type: 'bind' }, words, this.#standIn.bind);
      if (tag === F.execute) return this.#refuse({ type: 'execute' }, words, this.#standIn.execute);
      // A Close never fails but for this.
      if (this.#unsynced) return this.#refuse({ type: 'describe' }, words, this.#standIn.describe);
      return this.#refuse({ type: 'query' }, words, this.#standIn.query);
    }
  }

  #message(tag: number, bytes: Buffer): Disposition {
    const { intake, pipeline } = this.#shared;
    const { next } = intake;
    if (next === 'wait' || this.#shared.cancelling) return 'wait';
    if (next === 'copy') return this.#copyMessage(tag, bytes);
    if (tag === F.sync) {
      intake.synced();
      this.#unsynced = false;
      this.executed = false;
      this.#untold = false;
      pipeline.push({ type: 'sync' });
      return 'forward';
    }
    if (tag === F.terminate) return 'drop';
    // Leftovers of a COPY that has ended: the target ignores them, so it need not see them.
    if (tag === F.copyData || tag === F.copyDone || tag === F.copyFail) return 'drop';
    if (next === 'drop') return this.#skip();
    if (tag === F.flush) {
      this.#untold = false;
      pipeline.flushed();
      return 'forward';
    }
    if (this.#waitsForLook(tag, bytes)) return 'wait';
    this.#unsynced = tag !== F.query && tag !== F.functionCall;
    switch (tag) {
      case F.query:
        return this.#query(bytes);
      case F.parse:
        return this.#parse(bytes);
      case F.bind:
        return this.#bind(bytes);
      case F.describe:
        return this.#describe(bytes);
      case F.execute:
        return this.#execute(bytes);
      case F.close:
        return this.#close(bytes);
      case F.functionCall:
        return this.#functionCall(bytes);
      default:
        throw unexpected(`invalid frontend message type ${tag}`);
    }
  }

  /** Before the first message after a Sync: the session is looked at where code has run that may have changed it. */
  #waitsForLook(tag: number, bytes: Buffer): boolean {
    const { masks, names, pipeline, wires, unusedName } = this.#shared;
    if (!masks || this.#answer || this.#unsynced) return false;
    if (!pipeline.idle)
      return masks.needsLook || pipeline.needsLook || (masks.needsLookAfterChange && !names.noPendingSessionChange);
    if (!masks.needsLook || comesFirst(tag, bytes, this.#shared.encoding)) return false;
    const look = masks.look();
    pipeline.push({ type: 'look', look });
    wires.send('upstream', lookMessages(look.text, unusedName));
    return true;
  }

  /** The target would pass over it. A command that was let through while its turn was lost is closed in the record. */
  #skip(): Disposition {
    if (this.#answer?.type === 'allow') {
      this.#shared.recorder.end(commandState(this.#id, 'run', this.#answer), 'skipped');
    }
    return 'drop';
  }

  /** In COPY the target ignores Flush and Sync (55.2.7), so it is spared them: then every Sync it gets is answered. */
  #copyMessage(tag: number, bytes: Buffer): Disposition {
    if (tag === F.copyData) {
      this.#copier = this.#shared.pipeline.head?.command;
      if (this.#copier) this.#shared.recorder.sent(this.#copier, bytes.subarray(HEADER_BYTES));
      return 'forward';
    }
    if (tag === F.copyDone || tag === F.copyFail) {
      this.#shared.intake.copySent();
      return 'forward';
    }
    if (tag === F.flush || tag === F.sync || tag === F.terminate) return 'drop';
    throw unexpected(`unexpected message type ${tag} during COPY from stdin`);
  }

  #query(bytes: Buffer): Disposition {
    const text = readQuery(bytes, this.#shared.encoding);
    const answer = this.#ask('run', text);
    if (answer === undefined) return 'wait';
    if (answer.type === 'deny') {
      const asked = askedOf(answer);
      if (asked && !this.#shared.pipeline.mayBeSkipped) return this.#askAboutQuery(textOfQuery(bytes), asked);
      return this.#refuse({ type: 'query' }, refusal(answer), this.#standIn.query);
    }
    const command = this.#allowed('run', answer);
    if (this.#changesEncoding(answer)) return this.#refuseAllowed({ type: 'query' }, command, this.#standIn.query);
    if (this.#keepsTooMuch(command))
      return this.#refuseAllowed({ type: 'query' }, command, this.#standIn.query, tooMuchPrepared());
    this.executed = false;
    this.#runs(command);
    this.#shared.pipeline.push({ type: 'query', command });
    this.#expectCopies(command.effects);
    return this.#behindUntold(command, bytes);
  }

  /** Judged, recorded and masked as the SELECT that would do the same. The target gets the call as it came. */
  #functionCall(bytes: Buffer): Disposition {
    const call = readFunctionCall(bytes);
    const called = this.#called;
    if (called === undefined) return this.#lookUp(call.oid);
    const { text, parameters } = callStatement(call, called, this.#shared.encoding);
    const answer = this.#ask('run', text, [...parameters]);
    if (answer === undefined) return 'wait';
    if (answer.type === 'deny') return this.#refuse({ type: 'query' }, refusal(answer), this.#standIn.query);
    const command = this.#allowed('run', answer);
    const { query } = this.#standIn;
    if (this.#changesEncoding(answer)) return this.#refuseAllowed({ type: 'query' }, command, query);
    if (typeof called === 'string')
      return this.#refuseAllowed({ type: 'query' }, command, query, unknownFunction(call.oid, called));
    try {
      const described = describeCall(called, call);
      const masks = command.masking?.rows(0, described, command.meter);
      const texts = masks && textCells(masks.cells, described.columns, this.#shared.encoding);
      this.executed = false;
      this.#runs(command);
      this.#shared.pipeline.push({ type: 'query', command, call: { masks, texts } });
      return this.#behindUntold(command, bytes);
    } catch (error) {
      if (!(error instanceof Unmasked)) throw error;
      return this.#refuseAllowed({ type: 'query' }, command, query, unmaskable(error.message));
    }
  }

  #lookUp(oid: number): 'wait' {
    const { port, later } = this.#shared;
    this.#questionOpen = true;
    void port.functionOf(oid).then((found) =>
      later(() => {
        this.#called = found;
        this.#questionOpen = false;
      }),
    );
    return 'wait';
  }

  /** The rules have let it through, and it does not reach the target all the same. */
  #refuseAllowed(
    owed: Owed,
    command: CommandState,
    standIn: { bytes: Buffer; code: string },
    words = encodingStays(this.#shared.encoding.name),
  ): Buffer {
    command.summary = 'refused by the gateway';
    this.#shared.recorder.end(command, 'error');
    return this.#refuse(owed, words, standIn);
  }

  /** Its record says what the texts of its answer are in, where that is not UTF-8. */
  #allowed(phase: CommandState['phase'], answer: Allow, statement?: CommandState['statement']): CommandState {
    const { encoding, recorder } = this.#shared;
    const command = commandState(this.#id, phase, answer, statement, this.#changes);
    if (command.meter?.timeoutMs !== undefined) this.#shared.isTimed = true;
    if (encoding !== UTF8) recorder.take(command, message(B.parameterStatus, 'client_encoding', encoding.name));
    return command;
  }

  /** A statement behind it would be read in one encoding and meant in another. */
  #changesEncoding({ facts }: Allow): boolean {
    if (this.#shared.encoding === UTF8) return false;
    return facts.actions.some(({ resources }) =>
      resources.some(({ type, name }) => type === 'setting' && (name === 'client_encoding' || name === 'names')),
    );
  }

  /** PREPARE and DECLARE in SQL keep something as well. */
  #keepsTooMuch({ effects }: CommandState): boolean {
    const { names } = this.#shared;
    return effects.some((effect) => {
      if (effect.type === 'prepare') return !names.hasRoomFor({ statement: effect.name, text: effect.text, types: 0 });
      return effect.type === 'declare' && !names.hasRoomFor({ portal: effect.name });
    });
  }

  #parse(bytes: Buffer): Disposition {
    const { name, text, types } = readParse(bytes, this.#shared.encoding, this.#shared.kept);
    if (name !== '' && this.#shared.masks?.pooled)
      return this.#refuse({ type: 'parse' }, pooledStatement(), this.#standIn.parse);
    const answer = this.#ask('prepare', text);
    if (answer === undefined) return 'wait';
    if (answer.type === 'deny') {
      const asked = askedOf(answer);
      if (asked) return this.#askAbout(textAndTypesOf(bytes), asked, 'parse', name === '' ? '' : undefined);
      return this.#refuse({ type: 'parse' }, refusal(answer), this.#standIn.parse);
    }
    const command = commandState(this.#id, 'prepare', answer);
    if (!this.#shared.names.hasRoomFor({ statement: name, text, types: types.length }))
      return this.#refuseAllowed({ type: 'parse' }, command, this.#standIn.parse, tooMuchPrepared());
    const meant = this.#shared.masks?.namesNow();
    const statement: PreparedStatement = meant ? { text, types, meant } : { text, types };
    this.#shared.pipeline.push({ type: 'parse', command, name, statement, ...this.#renames('statement', name) });
    return 'forward';
  }

  #bind(bytes: Buffer): Disposition {
    const bind = readBind(bytes, this.#shared.encoding, this.#shared.kept);
    const { statement, again } = this.#shared.names.usable(bind.statement);
    if (statement === 'undecided') return this.#waitForReplies();
    if (statement === 'missing') {
      return this.#refuse({ type: 'bind' }, missingStatement(bind.statement), this.#standIn.bind);
    }
    const answer = this.#ask('run', statement.text, boundParameters(bind, statement.types, this.#shared.encoding));
    if (answer === undefined) return 'wait';
    if (answer.type === 'deny') {
      const asked = askedOf(answer);
      if (asked) return this.#askAbout(declaredTypes(statement, this.#shared.encoding), asked, 'bind');
      return this.#refuse({ type: 'bind' }, refusal(answer), this.#standIn.bind);
    }
    const command = this.#allowed('run', answer, statement);
    if (this.#changesEncoding(answer)) return this.#refuseAllowed({ type: 'bind' }, command, this.#standIn.bind);
    if (this.#keepsTooMuch(command) || !this.#shared.names.hasRoomFor({ portal: bind.portal }))
      return this.#refuseAllowed({ type: 'bind' }, command, this.#standIn.bind, tooMuchPrepared());
    const isOutdated = this.#isOutdated(statement);
    // How its parameters were declared only the target knows.
    if (isOutdated && statement.fromSql)
      return this.#refuseAllowed({ type: 'bind' }, command, this.#standIn.bind, missingStatement(bind.statement));
    const prepared = (again || isOutdated) && prepareAgain(this.#shared, bind.statement, statement);
    this.#shared.pipeline.push({
      type: 'bind',
      command,
      portal: bind.portal,
      ...this.#renames('portal', bind.portal),
    });
    return prepared ? Buffer.concat([prepared, bytes]) : 'forward';
  }

  #close(bytes: Buffer): Disposition {
    const { kind, name } = readNamed(bytes, this.#shared.encoding, this.#shared.kept);
    this.#shared.pipeline.push({ type: 'close', kind, name, ...this.#renames(kind, name) });
    return 'forward';
  }

  /** A table may have taken the place of another one that it names: the target goes by the one of then (plancache.c). */
  #isOutdated({ meant }: PreparedStatement): boolean {
    return meant !== undefined && this.#shared.masks?.isOutdated(meant) === true;
  }

  /** PREPARE and DECLARE share their names with the protocol. */
  #renames(kind: 'statement' | 'portal', name: string): { readonly renames?: true } {
    const { masks, names } = this.#shared;
    if (!masks || name === '') return {};
    return masks.knows(kind, name) || !names.noPendingSessionChange ? { renames: true } : {};
  }

  #describe(bytes: Buffer): Disposition {
    const { kind, name } = readNamed(bytes, this.#shared.encoding, this.#shared.kept);
    const { statement, again } = kind === 'statement' ? this.#shared.names.usable(name) : NO_STATEMENT;
    const found = statement ?? this.#shared.names.portal(name);
    if (found === 'undecided') return this.#waitForReplies();
    if (found === 'missing') {
      const words = kind === 'statement' ? missingStatement(name) : missingPortal(name);
      return this.#refuse({ type: 'describe' }, words, this.#standIn.describe);
    }
    if ('text' in found) {
      const isOutdated = this.#isOutdated(found) && !found.fromSql;
      const prepared = (again || isOutdated) && prepareAgain(this.#shared, name, found);
      this.#shared.pipeline.push({ type: 'describe', statement: found });
      if (prepared) return Buffer.concat([prepared, bytes]);
    } else {
      if (this.#isHiddenCursor(name, found)) {
        // A description holds no values. What will be read from the cursor is described again, with the FETCH.
        this.#shared.pipeline.push({ type: 'describe' });
        return 'forward';
      }
      found.describeSent = true;
      this.#shared.pipeline.push({ type: 'describe', command: found });
    }
    return 'forward';
  }

  #execute(bytes: Buffer): Disposition {
    const name = readExecute(bytes, this.#shared.encoding, this.#shared.kept);
    const command = this.#shared.names.portal(name);
    if (command === 'undecided') return this.#waitForReplies();
    if (command === 'missing') {
      return this.#refuse({ type: 'execute' }, missingPortal(name), this.#standIn.execute);
    }
    if (this.#isHiddenCursor(name, command)) {
      return this.#refuse({ type: 'execute' }, hiddenCursor(name), this.#standIn.execute);
    }
    // People have said yes to what had been changed when it was bound.
    if (command.effects.some(commits) && command.changesBefore !== this.#changes)
      return this.#refuse({ type: 'execute' }, boundTooEarly(), this.#standIn.execute);
    this.#runs(command);
    command.executed = true;
    // Masks are made for types and formats, so the target has to say them before it sends rows.
    const unasked = command.masking !== undefined && !command.describeSent;
    if (unasked) {
      command.describeSent = true;
      this.#shared.pipeline.push({ type: 'describe', command, own: true });
    }
    this.executed = true;
    this.#shared.pipeline.push({ type: 'execute', command });
    this.#expectCopies(command.effects);
    const described = unasked ? message(F.describe, PORTAL, this.#shared.encoding.encode(`${name}\0`)) : undefined;
    const { before, behind } = this.#flushes(command);
    if (!before && !behind && !described) return 'forward';
    return Buffer.concat([
      ...(before ? [FLUSH] : []),
      ...(described ? [described] : []),
      bytes,
      ...(behind ? [FLUSH] : []),
    ]);
  }

  /**
   * Where something has a time of its own: else the target keeps what it has to say until the Sync, and nobody could tell which of several it works
   * on. Most have one command before their Sync, and need none.
   */
  #flushes({ meter }: CommandState): { readonly before: boolean; readonly behind: boolean } {
    const isTimed = meter?.timeoutMs !== undefined;
    const before = isTimed && this.#untold;
    const behind = isTimed && this.#following !== F.sync;
    this.#untold = !behind;
    return { before, behind };
  }

  /** The same of what goes at once, without a Sync. */
  #behindUntold({ meter }: CommandState, bytes: Buffer): Disposition {
    return this.#untold && meter?.timeoutMs !== undefined ? Buffer.concat([FLUSH, bytes]) : 'forward';
  }

  /** What people look at before a COMMIT is another thing from here on: more of it, or less. */
  #runs(command: CommandState): void {
    const { reviewed, effects, masking } = command;
    masking?.sent?.(() => {
      command.late ??= inEncoding(stopped(), this.#shared.encoding);
      this.#shared.cancel(command);
    });
    if (reviewed || (this.#changes > 0 && effects.some(takesBack))) this.#changes++;
  }

  /** A cursor of DECLARE, read by the protocol's Execute: its rows are those of another statement than the one judged. */
  #isHiddenCursor(portal: string, { masking }: CommandState): boolean {
    return masking !== undefined && this.#shared.names.isCursor(portal);
  }

  /** Judges a command; undefined while the answer, or a reply that the answer depends on, is still to come. */
  #ask(phase: 'prepare' | 'run', text: string, parameters?: ReturnType<typeof boundParameters>): Answer | undefined {
    if (this.#answer) return this.#answer;
    const { names, port, masks } = this.#shared;
    // SQL-level EXECUTE looks names up, and those have to be what the target will find. Where columns are masked, every name
    // is looked up, and what it means can depend on what was sent before.
    if (
      (!names.noPendingNames && /execute/i.test(text)) ||
      (masks && phase === 'run' && !names.noPendingSessionChange)
    ) {
      this.#waitForReplies();
      return undefined;
    }
    const id = ++this.#id;
    const answer = port.ask(
      { type: 'sql', id, phase, dialect: this.#dialect, text, parameters, prepared: this.#prepared },
      this.#shared.waiter,
    );
    this.#questionOpen = answer === undefined;
    return answer;
  }

  /** Waits for replies on their way, and makes sure that the target sends them. */
  #waitForReplies(): 'wait' {
    const { pipeline } = this.#shared;
    if (pipeline.unflushed) {
      pipeline.flushed();
      this.#flushDue = true;
    }
    return 'wait';
  }

  #refuse(owed: Owed, words: Buffer, substitute: { bytes: Buffer; code: string }): Buffer {
    // What follows a failing message of an extended query is skipped up to the Sync: it need not be asked about, nor sent.
    if (owed.type !== 'query') this.#shared.intake.refused();
    this.#shared.pipeline.push({
      ...owed,
      refused: { bytes: inEncoding(words, this.#shared.encoding), code: substitute.code },
    });
    return substitute.bytes;
  }

  /**
   * A text that is refused for a mistake in it: the target says what is wrong, in words of its own. Where it finds nothing wrong,
   * the stand-in fails as for any other refusal.
   */
  #askAbout(text: Buffer, asked: AskedMistake, standIn: 'parse' | 'bind', name = this.#shared.unusedName): Buffer {
    const { pipeline } = this.#shared;
    pipeline.push({
      type: 'parse',
      own: true,
      asked: { ...asked, words: inEncoding(asked.words, this.#shared.encoding) },
    });
    pipeline.push({ type: 'close', kind: 'statement', name, own: true });
    return askingMessages(name, text, this.#refuse({ type: standIn }, asked.words, this.#standIn[standIn]));
  }

  /** A simple query ends with its own ReadyForQuery, which here a Sync makes. */
  #askAboutQuery(text: Buffer, asked: AskedMistake): Buffer {
    const { intake, pipeline } = this.#shared;
    const messages = this.#askAbout(text, asked, 'bind', '');
    intake.synced();
    this.executed = false;
    pipeline.push({ type: 'sync' });
    return Buffer.concat([messages, SYNC]);
  }

  #refuseUnread(tag: number, words: Buffer): Disposition {
    const { intake } = this.#shared;
    const { next } = intake;
    if (next === 'copy') throw unexpected(`unexpected message type ${tag} during COPY from stdin`);
    if (next !== 'judge') return next;
    if (tag === F.parse) return this.#refuse({ type: 'parse' }, words, this.#standIn.parse);
    if (tag === F.bind) return this.#refuse({ type: 'bind' }, words, this.#standIn.bind);
    return this.#refuse({ type: 'query' }, words, this.#standIn.query);
  }

  #expectCopies(effects: Allow['facts']['statements']): void {
    this.#shared.intake.copyExpected(effects.filter(isCopyIn).length);
  }
}

const NO_STATEMENT = { statement: undefined, again: false } as const;
const commits = (effect: StatementEffect): boolean =>
  effect.type === 'transaction' && (effect.kind === 'commit' || effect.kind === 'prepare');
const takesBack = (effect: StatementEffect): boolean => effect.type === 'transaction' && effect.kind === 'rollback to';
const isCopyIn = (effect: StatementEffect): boolean => effect.type === 'copy' && effect.direction === 'in';
