/**
 * The client's half: one command after the other, each judged before the target sees a byte of it. A command that comes before the
 * answer to the last one waits, so that what one changes is known when the next is read. Owns: what is asked, and what is owed. Does
 * not: know prepared statements (`prepared-commands.ts`), read answers (`target-half.ts`).
 */
import type { Allow, Answer, Deny, MySqlDialect, SqlCommand } from '@sluice/contract';
import { unexpected } from '@sluice/wire';
import { CAPABILITY } from './capabilities.js';
import { type CommandState, commandState } from './command-state.js';
import { COM, type Kill, asksOfLast, killText, queryPacket, readKill, standsFor, useStatement } from './commands.js';
import { Incoming, type Packet, type TooLong, kept } from './incoming.js';
import { closePacket, isMistake, isOnlyRead, preparePacket, textIn } from './mistakes.js';
import { NOTHING, PayloadReader, framed } from './packets.js';
import { type AskedCommand, type Owing, PreparedCommands } from './prepared-commands.js';
import { masksRefused, noRoom, refusal, tooLong, tooManyReadings, unfit, unknownCommand, unread } from './refusal.js';
import { Relogin } from './relogin.js';
import { plainEof, plainOk } from './replies.js';
import { Reply, type ReplyKind } from './reply.js';
import { QUESTION } from './session-state.js';
import type { OwedAnswer, Shared } from './shared.js';
import { SqlNames } from './sql-names.js';
import { StatementTexts } from './statement-texts.js';
import { decoded } from './text.js';

type Ended = OwedAnswer['ended'];

export class ClientHalf {
  readonly #shared: Shared;
  readonly #leave: () => void;
  readonly #incoming: Incoming;
  readonly #prepared: PreparedCommands;
  readonly #names: SqlNames;
  readonly #relogin: Relogin;
  readonly #noEof: boolean;
  /** Several statements may stand in one text: by its capabilities, or what it has asked for since. */
  #multi: boolean;
  /** A command that waits for the answer to a question of the gateway's own. */
  #next: Packet | TooLong | undefined;
  /** What to do with the answer of the gate, while a command is being asked about. */
  #onAnswer: ((answer: Answer) => void) | undefined;
  /** Bytes of that command. */
  #askedBytes = 0;
  /** A text of several statements that is being worked through. */
  #texts: StatementTexts | undefined;
  #id: number;

  /** `leave`: the client has said goodbye. */
  constructor(shared: Shared, leave: () => void) {
    this.#shared = shared;
    this.#leave = leave;
    this.#id = shared.commands;
    this.#incoming = new Incoming(shared.limits.message);
    this.#noEof = (shared.capabilities & CAPABILITY.deprecateEof) !== 0;
    this.#multi = (shared.capabilities & CAPABILITY.multiStatements) !== 0;
    this.#names = new SqlNames(shared.room);
    this.#prepared = new PreparedCommands(shared, {
      ask: (asked, packet, allowed, denied) => this.#ask(asked, packet, allowed, denied),
      send: (packet, owed) => this.#send(packet, owed),
      refuse: (words) => this.#refuse(words),
      ran: (command, text, outcome) => this.#ran(command, text, outcome),
      decoded: (bytes) => this.#decoded(bytes),
      id: () => this.#id,
    });
    this.#relogin = new Relogin(shared, {
      give: (payload) => this.#give(payload),
      sendOwn: (packet, done) => this.#sendOwn(packet, 'simple', done),
      askTarget: (text, take) => this.#sendOwn(queryPacket(text), 'query', take),
      forget: () => this.#forget(),
      use: (database) => this.#use(database),
    });
  }

  /** Bytes that have come while they could not be taken up. */
  get waitingBytes(): number {
    return this.#isReady || this.#shared.file.type === 'sending' ? 0 : this.#incoming.size;
  }

  /** The client waits for an answer. */
  get busy(): boolean {
    return this.#onAnswer !== undefined || this.#texts !== undefined || this.#relogin.isProving;
  }

  get #isReady(): boolean {
    const { ended, owed, cancelling } = this.#shared;
    return !ended && !cancelling && this.#onAnswer === undefined && owed === undefined && !this.#relogin.isProving;
  }

  receive(chunk: Buffer): void {
    this.#incoming.push(chunk);
    this.#goOn();
    if (!this.#shared.sent.hold(this.#kept) && this.#isReady && this.#texts === undefined) {
      this.#incoming.giveUp();
      this.resume();
    }
    this.#incoming.keep(chunk);
  }

  /** Bytes of commands that have not come as a whole, or wait. */
  get #kept(): number {
    const next = this.#next && 'raw' in this.#next ? this.#next.raw.length : 0;
    return this.#incoming.size + next + this.#askedBytes + (this.#texts?.bytes ?? 0);
  }

  answered(answer: Answer): void {
    const act = this.#onAnswer;
    this.#onAnswer = undefined;
    this.#askedBytes = 0;
    act?.(answer);
    this.resume();
  }

  /** Takes up what had to wait. */
  resume(): void {
    this.#goOn();
    this.#shared.sent.hold(this.#kept);
  }

  #goOn(): void {
    if (this.#shared.file.type === 'sending') this.#sendFile();
    while (this.#isReady) {
      const { session } = this.#shared;
      if (this.#relogin.isExpecting) {
        if (!this.#takeProof()) return;
        continue;
      }
      if (this.#texts) {
        if (session.stale && !asksOfLast(this.#texts.rest)) return this.#askState();
        if (session.unfit !== undefined) return this.#shared.fail(unfit(session.unfit));
        this.#nextText(this.#texts);
        continue;
      }
      const command = this.#next ?? this.#incoming.take();
      if (command === undefined) return;
      this.#next = undefined;
      if (session.stale && !this.#asksOfLast(command)) {
        this.#next = 'tooLong' in command ? command : kept(command);
        return this.#askState();
      }
      this.#shared.sequence = (command.sequence + 1) & 0xff;
      if (session.unfit !== undefined) return this.#shared.fail(unfit(session.unfit));
      if ('tooLong' in command) this.#refuseUnread(command);
      else this.#command(command);
    }
  }

  /** The gateway's own question would be the last statement then. */
  #asksOfLast(command: Packet | TooLong): boolean {
    if ('tooLong' in command) return false;
    const { payload } = command;
    if (payload[0] === COM.query || payload[0] === COM.prepare) return asksOfLast(payload.toString('latin1', 1, SHORT));
    if (payload[0] !== COM.execute || payload.length < 5) return false;
    return asksOfLast(this.#prepared.textOf(payload.readUInt32LE(1)) ?? '');
  }

  /** False: it has not come as a whole. */
  #takeProof(): boolean {
    const packet = this.#incoming.take();
    if (packet === undefined) return false;
    if ('tooLong' in packet) throw unexpected('a proof is longer than any');
    this.#shared.sequence = (packet.sequence + 1) & 0xff;
    this.#relogin.next(packet.payload);
    return true;
  }

  /** The gateway's own question: what the texts that follow are read by. */
  #askState(): void {
    const { session, masks, thread } = this.#shared;
    this.#sendOwn(queryPacket(QUESTION), 'query', ([row]) => {
      if (!row) throw unexpected('the target does not say how it reads statements');
      session.stale = false;
      session.pooled = masks?.met(thread, row[5] ?? null);
      if (session.pooled !== undefined) return;
      const tracking = session.answered(row);
      if (tracking === undefined) return;
      this.#sendOwn(queryPacket(tracking), 'query', () => {
        // What it changed has been reported too.
        session.stale = false;
      });
    });
  }

  /** A command of the gateway's own, which has to succeed. */
  #sendOwn(
    packet: Buffer,
    kind: 'query' | 'simple',
    take: (rows: readonly (readonly (string | null)[])[]) => void,
  ): void {
    const own: NonNullable<OwedAnswer['own']> = (rows, failed) => {
      if (failed) throw unexpected('the target does not do what the gateway needs to follow the session');
      take(rows);
    };
    this.#send(packet, { kind, own });
  }

  /** The database of a login, judged as at the start of a session. */
  #use(database: string): void {
    const { text, dialect } = useStatement(0, database);
    const allowed = (allow: Allow): void => {
      const command = commandState(this.#id, 'run', allow);
      const packet = framed(Buffer.concat([Buffer.from([COM.initDb]), Buffer.from(database)]), 0);
      this.#send(packet, { kind: 'simple', command, ended: (outcome) => this.#ran(command, text, outcome) });
    };
    this.#ask({ phase: 'run', text, dialect: dialect as MySqlDialect }, undefined, allowed, this.#leave);
  }

  #command(packet: Packet): void {
    const { payload } = packet;
    switch (payload[0]) {
      case COM.quit:
        return this.#leave();
      case COM.query:
        return this.#query(packet);
      case COM.prepare:
        return this.#prepared.prepare(packet);
      case COM.execute:
        return this.#prepared.execute(packet);
      case COM.longData:
        return this.#prepared.longData(packet);
      case COM.fetch:
        return this.#prepared.fetch(packet);
      case COM.close:
        return this.#prepared.close(packet);
      case COM.reset:
        return this.#prepared.reset(packet);
      case COM.ping:
        return this.#send(packet.raw, { kind: 'simple' });
      case COM.setOption:
        return this.#setOption(new PayloadReader(payload, 1).uint(2));
      case COM.resetConnection:
        return this.#send(packet.raw, { kind: 'simple', ended: (outcome) => outcome === 'ok' && this.#forget() });
      case COM.changeUser:
        return this.#relogin.begin(payload);
      default:
        return this.#other(packet);
    }
  }

  #query(packet: Packet): void {
    const { session, port } = this.#shared;
    const bytes = packet.payload.subarray(1);
    if (this.#multi && bytes.includes(SEMICOLON)) {
      const texts = new StatementTexts(Buffer.from(bytes), session.dialect, (text, dialect) =>
        port.split(text, dialect),
      );
      this.#texts = texts;
      return;
    }
    const text = this.#decoded(bytes);
    const kill = readKill(text);
    if (kill && this.#kill(kill)) return;
    this.#run(packet, text, 'query');
  }

  /** The next statement of a text that may have several. */
  #nextText(texts: StatementTexts): void {
    const bytes = texts.take(this.#shared.session.dialect);
    if (!bytes) {
      this.#texts = undefined;
      return this.#refuse(tooManyReadings());
    }
    if (!texts.more) this.#texts = undefined;
    const text = this.#decoded(bytes);
    const kill = texts.more ? undefined : readKill(text);
    if (kill && this.#kill(kill)) return;
    this.#ask({ phase: 'run', text, bytes }, undefined, (allow) => {
      const command = commandState(this.#id, 'run', allow);
      const ended: Ended = (outcome) => {
        if (outcome === 'error') this.#texts = undefined;
        this.#ran(command, text, outcome);
      };
      this.#send(queryPacket(bytes), { kind: 'query', command, moreFollow: texts.more, ended });
    });
  }

  /** A command that is one statement: its own packet goes to the target. */
  #run(packet: Packet, text: string, kind: ReplyKind): void {
    this.#ask({ phase: 'run', text }, packet, (allow, { raw }) => {
      const command = commandState(this.#id, 'run', allow);
      // Rows alone can be read again from the record.
      if (kind === 'fields' || kind === 'text') command.full = true;
      this.#send(raw, { kind, command, ended: (outcome) => this.#ran(command, text, outcome) });
    });
  }

  #setOption(option: number): void {
    if (option > 1) return this.#refuse(unknownCommand());
    this.#multi = option === 0;
    this.#give(plainEof(this.#shared.session.status, this.#noEof));
  }

  /** What a statement has changed for those behind it; one that failed may have done half of it. */
  #ran({ facts, reported }: CommandState, text: string, outcome: 'ok' | 'error'): void {
    this.#shared.session.ran(facts, text, reported);
    if (outcome === 'ok') this.#names.ran(facts);
  }

  /** The connection is as at its start. */
  #forget(): void {
    this.#prepared.forget();
    this.#names.clear();
    this.#shared.session.stale = true;
    this.#shared.masks?.reset();
    this.#multi = (this.#shared.capabilities & CAPABILITY.multiStatements) !== 0;
  }

  #other(packet: Packet): void {
    const stands = standsFor(packet.payload, (bytes) => this.#decoded(bytes));
    if (!stands) return this.#refuse(unknownCommand());
    const kill = packet.payload[0] === COM.processKill ? readKill(stands.text) : undefined;
    if (kill && this.#kill(kill)) return;
    this.#run(packet, stands.text, stands.kind);
  }

  /** A client ends what another session of its own does, as it does for Ctrl+C. False: the target is asked, as for any statement. */
  #kill({ what, thread }: Kill): boolean {
    const { port, session } = this.#shared;
    const other = port.sessionOf(thread);
    if (!other) return false;
    const withdrawn = what === 'query' && (other.cancelWaiting() || !other.busy);
    // What came late must not hit the statement behind the one that was meant.
    if (withdrawn) this.#give(plainOk(session.status));
    else this.#send(queryPacket(killText({ what, thread: other.thread })), { kind: 'query' });
    return true;
  }

  /** What a name stands for that a statement has prepared. */
  readonly #textOf = (name: string): string | undefined => this.#names.text(name);

  /** Asks about a command; `allowed` is called once it may run, with its packet, which is a copy if that took a while. */
  #ask(
    asked: AskedCommand,
    packet: Packet | undefined,
    allowed: (allow: Allow, packet: Packet) => void,
    denied?: () => void,
  ): void {
    const { port, session, waiter } = this.#shared;
    const { phase, text, bytes, dialect = session.dialect, parameters } = asked;
    const id = ++this.#id;
    const prepared = this.#textOf;
    const command: SqlCommand = parameters
      ? { type: 'sql', id, dialect, phase, text, prepared, parameters }
      : { type: 'sql', id, dialect, phase, text, prepared };
    const act = (answer: Answer, whole: Packet): void => {
      // Masks come for packets. Nothing here could change an answer by others, so none is asked for.
      if (answer.type === 'allow' && !answer.masking) return allowed(answer, whole);
      this.#texts = undefined;
      const mistaken = answer.type === 'deny' && answer.syntaxError ? (bytes ?? textIn(whole.raw)) : undefined;
      if (mistaken && isOnlyRead(mistaken)) this.#askMistake(mistaken, unread(answer as Deny));
      else this.#refuse(answer.type === 'deny' ? refusal(answer) : masksRefused());
      denied?.();
    };
    const answer = port.ask(command, waiter);
    const taken = packet ?? NO_PACKET;
    if (answer) return act(answer, taken);
    const raw = Buffer.from(taken.raw);
    this.#askedBytes = raw.length;
    this.#onAnswer = (late) => act(late, { ...taken, raw, payload: NOTHING });
  }

  /**
   * A text that the gateway does not read is refused in the words of the target, if that calls it a mistake too.
   *
   * @param unlike what the client is told where the target reads it
   */
  #askMistake(text: Buffer, unlike: Buffer): void {
    const prepared = (id: number): void => this.#shared.wires.send('upstream', closePacket(id));
    const own: NonNullable<OwedAnswer['own']> = (_rows, _failed, error) =>
      this.#refuse(error && isMistake(error) ? error : unlike);
    this.#send(preparePacket(text), { kind: 'prepare', own, prepared });
  }

  #send(
    packet: Buffer,
    { kind, command, own, prepared, moreFollow = false, asksCursor = kind === 'fetch', ended = () => undefined }: Owing,
  ): void {
    this.#shared.owed = {
      reply: new Reply(kind, this.#noEof, asksCursor),
      state: command,
      moreFollow,
      ended,
      own,
      prepared,
    };
    command?.masking?.sent();
    this.#shared.wires.send('upstream', packet);
  }

  /** An error in place of the answer. */
  #refuse(words: Buffer): void {
    this.#give(words);
  }

  #give(payload: Buffer): void {
    this.#shared.wires.send('client', framed(payload, this.#shared.sequence));
    this.#shared.sequence = 0;
  }

  #refuseUnread({ code, tooLong: why }: TooLong): void {
    const words = why === 'room' ? noRoom() : tooLong(this.#shared.limits.message);
    // Long data has no answer: what follows would be taken for it.
    if (code === COM.longData) this.#shared.fail(words);
    else this.#refuse(words);
  }

  /** Packets of a file that the target has asked for. */
  #sendFile(): void {
    const shared = this.#shared;
    const { file, owed, recorder } = shared;
    if (file.type !== 'sending' || this.#incoming.size === 0) return;
    const command = owed?.state;
    const { bytes, over, last } = this.#incoming.takeFile(file.shift, (content) => {
      if (command) recorder.sent(command, content);
    });
    if (bytes.length === 0) return;
    shared.wires.send('upstream', bytes);
    if (command && recorder.fits(command, bytes.length)) {
      recorder.take(command, bytes);
      recorder.flush(command);
    }
    if (!over) return;
    shared.sequence = (last + 1) & 0xff;
    shared.file = { type: 'none' };
  }

  #decoded(bytes: Buffer): string {
    return decoded(bytes, this.#shared.session.dialect.charset);
  }
}

const SEMICOLON = 0x3b;
/** Bytes of a command that are looked at to see whether it is a short one. */
const SHORT = 1024;
const NO_PACKET: Packet = { sequence: 0, payload: NOTHING, raw: NOTHING };
