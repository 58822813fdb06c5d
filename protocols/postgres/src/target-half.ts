/**
 * The target's half of a conversation. Owns: which command each reply answers, and whether it may come. Does not: what goes to
 * the client (client-output.ts).
 */
import type { AnswerMeter } from '@sluice/contract';
import { Reader, SmallPieces, unexpected } from '@sluice/wire';
import type { Shared } from './shared.js';
import { copyFormats, parameterTypes, resultDescription } from './description.js';
import { CallResultEditor } from './function-call.js';
import { type OwedLook, endLook, lookFailed, takeReply } from './look.js';
import { B, F, HEADER_BYTES, NOTHING, message, messageLength, readErrorFields } from './messages.js';
import { type Owed, type CommandState, type MaskedCall, statementOf } from './pipeline.js';
import { CopyDataEditor, DataRowEditor, type RowEditor } from './masked/editor.js';
import { copiedTexts, textCells } from './masked/encoded.js';
import { filterMessage, filterNotification } from './masked/messages.js';
import { ClientOutput } from './client-output.js';
import { QUERY_CANCELED } from './refusal.js';
import { checkPinned } from './settings.js';
import { readText } from './text-encoding.js';

/** Messages that hold values, of any length. */
const DATA: ReadonlySet<number> = new Set([B.dataRow, B.copyData, B.functionCallResponse]);
/** What a target begins to answer a statement with. */
const ANSWERS: ReadonlySet<number> = new Set([
  B.rowDescription,
  B.noData,
  B.dataRow,
  B.functionCallResponse,
  B.copyOutResponse,
  B.copyData,
  B.copyInResponse,
  B.commandComplete,
  B.emptyQueryResponse,
  B.portalSuspended,
]);
/** A message that is not data and is longer than this is not one. */
const MAX_REPLY_BYTES = 16 * 1024 * 1024;

/**
 * The target's half: knows which command each message answers, checks that it is a message that may come now, and hands
 * the client the bytes as they came, but for the errors of stand-ins. Data rows are passed on in whole chunks, however
 * long they are.
 */
export class TargetHalf {
  readonly #shared: Shared;
  /** The start of a message whose rest has not come. */
  #partial: Buffer[] = [];
  readonly #pieces = new SmallPieces();
  #size = 0;
  #needed = HEADER_BYTES;
  /** Bytes of the current data message that are still to come. */
  #passing = 0;
  /** What the rest of that message goes through. */
  #editing: RowEditor | undefined;
  /** The target has ended the session itself and said so: nobody needs to say it again. */
  saidFatal = false;
  readonly #out: ClientOutput;
  /** What comes next has waited for that. */
  #hasWaited = false;
  /** The last of which it was asked whether it is what was judged. */
  #stands: { readonly of?: Owed | undefined; readonly statement: number } = { statement: 0 };

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#out = new ClientOutput(shared, (held) => this.receive(held));
  }

  /** The client has had whole messages only. */
  get betweenMessages(): boolean {
    // What an editor keeps of a row the client has not had.
    return !this.#out.amidRows && (this.#passing === 0 || this.#editing !== undefined);
  }

  get waits(): boolean {
    return this.#out.waits;
  }

  receive(bytes: Buffer): void {
    if (this.waits) return this.#out.hold(bytes);
    let chunk = bytes;
    if (this.#size > 0) {
      this.#keep(bytes);
      if (this.#size < this.#needed) return;
      chunk = Buffer.concat(this.#partial);
      this.#partial = [];
      this.#size = 0;
    }
    const end = chunk.length;
    let at = 0;
    this.#out.begin(end);
    if (this.#passing > 0) {
      at = Math.min(this.#passing, end);
      this.#passing -= at;
      if (this.#editing || this.#out.discarding) this.#out.edited(chunk, 0, at, this.#editing);
      if (this.waits) return this.#out.hold(chunk.subarray(at));
    }
    while (end - at >= HEADER_BYTES) {
      const tag = chunk[at] as number;
      const size = 1 + messageLength(chunk, at);
      const next = at + size;
      if (ANSWERS.has(tag) && this.#waitsToStand(chunk, at)) return;
      if (DATA.has(tag) && this.#shared.pipeline.head?.type !== 'look') {
        at = this.#data(tag, chunk, at);
        if (this.waits) return this.#out.hold(chunk.subarray(at));
        continue;
      }
      if (size > MAX_REPLY_BYTES) throw unexpected(`the target sent a message of ${size} bytes`);
      if (next > end) break;
      const replaced = this.#reply(tag, chunk, at, next);
      if (replaced) this.#out.replace(chunk, at, next, replaced);
      at = next;
    }
    this.#out.closeChunk(chunk, at);
    this.#out.replace(chunk, at, at);
    if (at < end) {
      this.#keep(chunk.subarray(at));
      this.#needed = end - at < HEADER_BYTES ? HEADER_BYTES : 1 + messageLength(chunk, at);
    }
  }

  /** At the first answer of what runs: whether it is what was judged. True: that is being found out, and what came waits for it. */
  #waitsToStand(chunk: Buffer, at: number): boolean {
    if (this.#hasWaited) {
      this.#hasWaited = false;
      return false;
    }
    const { head } = this.#shared.pipeline;
    if (head?.type !== 'query' && head?.type !== 'execute' && head?.type !== 'describe') return false;
    const { command } = head;
    if (!command?.masking?.stands || head.refused || this.#out.discarding) return false;
    const statement = statementOf(head, command);
    const goesOn = this.#stands.of === head && this.#stands.statement === statement;
    if (!goesOn) this.#stands = { of: head, statement };
    const found = command.masking.stands(statement, goesOn);
    if (!found) return false;
    this.#hasWaited = true;
    this.#out.until(found, command, chunk, at);
    return true;
  }

  /** For the next chunk: this one's memory is read into again. */
  #keep(bytes: Buffer): void {
    this.#pieces.add(this.#partial, bytes);
    this.#size += bytes.length;
  }

  /**
   * DataRow and CopyData: counted, and recorded while they fit. Takes all messages of this kind that start in the chunk
   * from `at` on, and returns where it stopped. Written for results of millions of rows.
   */
  #data(tag: number, chunk: Buffer, at: number): number {
    const head = this.#shared.pipeline.head;
    const command = head?.command;
    if (!command || (head.type !== 'query' && head.type !== 'execute')) throw this.#outOfPlace(tag);
    const call = head.type === 'query' ? head.call : undefined;
    if ((tag === B.functionCallResponse) !== (call !== undefined)) throw this.#outOfPlace(tag);
    if (call) this.#callAnswered(call, command, chunk, at);
    else if (!command.described) this.#out.describe(command);
    const meter = this.#out.discarding ? undefined : command.meter;
    const passes = !this.#out.discarding && (command.masking === undefined || command.editor === 'pass');
    const end = chunk.length;
    let next = at;
    let start = at;
    let rows = 0;
    do {
      start = next;
      next += 1 + messageLength(chunk, start);
      if (meter !== undefined && !meter.take(1, next - start)) {
        if (rows === 0) return this.#cut(command, meter, chunk, at);
        // Those before it go on first.
        next = start;
        break;
      }
      rows++;
      if (passes && !command.full && !this.#shared.recorder.fits(command, next - this.#out.from)) {
        this.#out.take(command, chunk, start);
      }
    } while (end - next >= HEADER_BYTES && chunk[next] === tag);
    if (call && rows > 1) throw this.#outOfPlace(tag);
    command.rows += rows;
    command.bytes += next - at;
    this.#passing = Math.max(0, next - end);
    const stop = Math.min(next, end);
    if (passes) {
      this.#editing = undefined;
      return stop;
    }
    this.#editing = command.editor === 'pass' ? undefined : command.editor;
    // The last of them begins at `start`.
    const isCut = next > end;
    const counted = isCut
      ? { rows: rows - 1, end: start - at, begun: next - start }
      : { rows, end: next - at, begun: 0 };
    this.#out.edited(chunk, at, stop, this.#editing, counted);
    return stop;
  }

  /** Nothing from `at` on is for the client. */
  #cut(command: CommandState, { ended }: AnswerMeter, chunk: Buffer, at: number): number {
    if (ended) this.#out.replace(chunk, at, at, this.#out.cut(command, ended, chunk, at));
    return at;
  }

  /** What a called function returns: there is one value, and nothing has described it. */
  #callAnswered({ masks, texts }: MaskedCall, command: CommandState, chunk: Buffer, at: number): void {
    if (command.described) throw this.#outOfPlace(B.functionCallResponse);
    command.described = true;
    this.#out.editedBy(command, chunk, at, () => masks && new CallResultEditor(masks, texts));
  }

  /** Everything else. Undefined: passes as it came; else what the client gets instead. */
  #reply(tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    switch (tag) {
      case B.noticeResponse:
      case B.notificationResponse:
        return this.#aside(tag, chunk, at, end);
      case B.parameterStatus:
        checkPinned(new Reader(chunk, at + HEADER_BYTES, end), this.#shared.encoding);
        return this.#setting(chunk, at, end);
      case B.errorResponse:
        return this.#error(chunk, at, end);
      default:
    }
    const head = this.#shared.pipeline.head;
    if (!head) throw this.#outOfPlace(tag);
    if (head.refused) {
      // The stand-in for a simple query has failed; all that may follow is the status.
      if (head.type !== 'query' || tag !== B.readyForQuery) throw this.#outOfPlace(tag);
      this.#ready(chunk, at, end);
      return undefined;
    }
    if (head.command) head.command.bytes += end - at;
    const discarded = this.#out.discarding;
    const instead = this.#expected(head, tag, chunk, at, end);
    return discarded && this.#out.discarding ? NOTHING : instead;
  }

  /** Messages that come at any time and answer nothing. */
  #aside(tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { masks, pipeline, encoding } = this.#shared;
    const command = pipeline.head?.command;
    if (tag === B.noticeResponse && this.#out.discarding) return NOTHING;
    // A notice of code that the statement runs can say anything.
    const meter = tag === B.noticeResponse ? command?.meter : undefined;
    if (command && meter && !meter.take(0, end - at))
      return meter.ended && this.#out.cut(command, meter.ended, chunk, at);
    if (!masks) return undefined;
    const bytes = chunk.subarray(at, end);
    const texts = (tag === B.noticeResponse && command?.masking?.texts) || masks.texts;
    const filter = tag === B.noticeResponse ? filterMessage : filterNotification;
    const clean = filter(bytes, texts, encoding);
    if (clean === bytes) return undefined;
    this.#out.instead(command, chunk, at, end, clean);
    return clean;
  }

  /** A report of a setting. What it says may not be for the client: it does not pass then. */
  #setting(chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { masks, encoding } = this.#shared;
    const name = readText(new Reader(chunk, at + HEADER_BYTES, end), encoding).toLowerCase();
    if (!masks?.hidesSetting(name)) return undefined;
    this.#out.instead(this.#shared.pipeline.head?.command, chunk, at, end, NOTHING);
    return NOTHING;
  }

  /** The allow-list: which message may answer which. */
  #expected(head: Owed, tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    switch (head.type) {
      case 'parse':
        if (tag !== B.parseComplete) break;
        if (head.name !== undefined && head.statement) {
          this.#shared.names.parsed(head.name, head.statement);
          this.#shared.masks?.taken('statement', head.name);
        }
        this.#endAnswer(head.command, chunk, end, 'ok');
        return head.own && NOTHING;
      case 'bind':
        if (tag !== B.bindComplete) break;
        if (head.portal !== undefined && head.command) {
          this.#shared.names.bound(head.portal, head.command);
          this.#shared.masks?.taken('portal', head.portal);
        }
        // The recorded answer starts behind it: at the description, whichever that is.
        this.#out.from = end;
        this.#shared.pipeline.shift();
        return undefined;
      case 'close':
        if (tag !== B.closeComplete) break;
        if (!head.own) this.#shared.names.closed(head.kind, head.name);
        this.#shared.masks?.taken(head.kind, head.name);
        this.#out.from = end;
        this.#shared.pipeline.shift();
        return head.own && NOTHING;
      case 'describe':
        if (tag === B.parameterDescription && head.statement) {
          const { statement } = head;
          this.#shared.names.described(statement, () => {
            statement.types = parameterTypes(new Reader(chunk, at + HEADER_BYTES, end));
          });
          return undefined;
        }
        if (tag !== B.rowDescription && tag !== B.noData) break;
        return this.#described(head, tag, chunk, at, end);
      case 'execute':
      case 'query':
        return this.#result(head, head.command as CommandState, tag, chunk, at, end);
      case 'sync':
        if (tag !== B.readyForQuery) break;
        this.#ready(chunk, at, end);
        return undefined;
      case 'look':
        if (tag !== B.readyForQuery && !takeReply(head, tag, new Reader(chunk, at + HEADER_BYTES, end))) break;
        if (tag === B.readyForQuery) this.#lookEnded(head, chunk, at, end);
        return NOTHING;
    }
    throw this.#outOfPlace(tag);
  }

  #lookEnded(head: OwedLook, chunk: Buffer, at: number, end: number): void {
    const { statements, unfit } = endLook(head);
    if (unfit) this.#shared.fail('08006', unfit.message, unfit.hint);
    if (statements) this.#shared.names.verified(statements);
    this.#ready(chunk, at, end);
  }

  #ready(chunk: Buffer, at: number, end: number): void {
    this.#out.from = end;
    this.#shared.pipeline.shift();
    this.#readyStatus(chunk, at);
  }

  /** What a running statement may answer (55.2.2, 55.2.3). */
  #result(head: Owed, command: CommandState, tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    if (head.type === 'query' && head.call) return this.#callEnded(command, tag, chunk, at, end);
    switch (tag) {
      case B.rowDescription:
        if (head.type === 'execute') break;
        command.described = true;
        return this.#columns(command, chunk, at, end);
      case B.copyOutResponse:
        this.#out.passed(command, chunk, at, end);
        return this.#out.editedBy(command, chunk, at, () => {
          const formats = copyFormats(chunk.subarray(at + HEADER_BYTES, end));
          const masks = command.masking?.copy(statementOf(head, command), formats, command.meter);
          return masks && new CopyDataEditor(masks, copiedTexts(masks, this.#shared.encoding));
        });
      case B.copyDone:
        return this.#copyDone(command, chunk, at, end);
      case B.copyInResponse:
        this.#copyBegins(command, chunk, at, end);
        return undefined;
      case B.commandComplete:
      case B.emptyQueryResponse:
        this.#out.announceLate(command, chunk, at);
        command.masking?.completed(statementOf(head, command));
        if (head.type === 'query') command.editor = undefined;
        this.#completed(command, tag === B.commandComplete ? chunk.toString('utf8', at + HEADER_BYTES, end - 1) : '');
        this.#out.passed(command, chunk, at, end);
        if (head.type === 'execute') this.#endAnswer(command, chunk, end, command.failed ? 'error' : 'ok');
        return undefined;
      case B.portalSuspended:
        if (head.type !== 'execute') break;
        this.#out.announceLate(command, chunk, at);
        // What it runs has run for these rows already.
        if (command.masking?.runsCode) {
          command.masking.completed(0);
          this.#shared.names.codeHasRun(command);
        }
        this.#out.passed(command, chunk, at, end);
        this.#endAnswer(command, chunk, end, 'suspended');
        return undefined;
      case B.readyForQuery:
        if (head.type !== 'query') break;
        this.#endAnswer(command, chunk, at, command.failed ? 'error' : 'ok');
        this.#readyStatus(chunk, at);
        this.#out.from = end;
        return undefined;
      default:
    }
    throw this.#outOfPlace(tag);
  }

  #callEnded(command: CommandState, tag: number, chunk: Buffer, at: number, end: number): undefined {
    if (tag !== B.readyForQuery || !(command.described || command.failed)) throw this.#outOfPlace(tag);
    if (!command.failed) {
      this.#out.announceLate(command, chunk, at);
      command.masking?.completed(0);
      this.#completed(command, 'FUNCTION CALL');
    }
    this.#endAnswer(command, chunk, at, command.failed ? 'error' : 'ok');
    this.#readyStatus(chunk, at);
    this.#out.from = end;
  }

  /** A result is described, and its rows will follow: it is settled now what they go through. */
  #columns(command: CommandState, chunk: Buffer, at: number, end: number): Buffer | undefined {
    this.#out.passed(command, chunk, at, end);
    const statement = this.#shared.pipeline.head?.type === 'query' ? command.completed : 0;
    return this.#out.editedBy(command, chunk, at, () => {
      const { encoding } = this.#shared;
      const described = resultDescription(chunk.subarray(at + HEADER_BYTES, end), encoding);
      const masks = command.masking?.rows(statement, described, command.meter);
      return masks && new DataRowEditor(masks, textCells(masks.cells, described.columns, encoding));
    });
  }

  /** Only a statement that we know to be COPY FROM STDIN may put the target into that mode. */
  #copyBegins(command: CommandState, chunk: Buffer, at: number, end: number): void {
    const { intake, pipeline, wires } = this.#shared;
    // Behind the statement that it is due for the client has sent nothing.
    const begins = pipeline.headIsLast ? intake.copyBegins() : 'unexpected';
    if (begins === 'unexpected') throw this.#outOfPlace(B.copyInResponse);
    this.#out.passed(command, chunk, at, end);
    if (begins === 'data' && !this.#out.discarding) return;
    // The client was told that its query has failed, and sends no data: without this both would wait for ever.
    intake.copyOver();
    wires.send('upstream', message(F.copyFail, 'the query has failed'));
  }

  #copyDone(command: CommandState, chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { editor } = command;
    if (!editor || editor === 'pass' || this.#out.discarding) {
      this.#out.passed(command, chunk, at, end);
      return undefined;
    }
    this.#out.take(command, chunk, at);
    const rest = this.#out.masked(() => {
      editor.end();
      return NOTHING;
    });
    return this.#out.discarding ? rest : undefined;
  }

  #completed(command: CommandState, tag: string): void {
    if (command.masking?.runsCode) this.#shared.names.codeHasRun(command);
    const effect = command.effects[command.completed];
    this.#shared.names.confirmed(effect, command, this.#shared.masks?.namesNow());
    this.#shared.transaction.completed(effect);
    command.completed++;
    if (!command.failed) command.summary = command.summary === '' ? tag : `${command.summary}; ${tag}`;
  }

  #error(chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { pipeline } = this.#shared;
    const head = pipeline.head;
    const bytes = chunk.subarray(at, end);
    const { encoding } = this.#shared;
    const fields = readErrorFields(bytes.subarray(HEADER_BYTES), encoding);
    const code = fields.get('C') ?? '';
    const fatal = fields.get('V') === 'FATAL' || fields.get('V') === 'PANIC';
    if (fatal) this.saidFatal = true;
    const ours = head?.refused !== undefined && head.refused.code === code && !fatal;
    // Undefined: the error may pass as it is.
    const masks = head?.command?.masking ?? this.#shared.masks;
    masks?.failed();
    const asked = head?.type === 'parse' && !fatal ? head.asked : undefined;
    // What is wrong with a text says the text, whatever else is masked.
    const texts = asked && masks ? { hidden: false, clean: (text: string) => masks.texts.clean(text) } : masks?.texts;
    const cleaned = texts && filterMessage(bytes, texts, encoding);
    const clean = cleaned === bytes ? undefined : cleaned;
    if (!head || fatal) return clean;
    if (head.type === 'look') return lookFailed(head);
    // What it did before it failed may have lasted.
    if (head.command?.masking?.runsCode) this.#shared.names.codeHasRun(head.command);
    const ofStandIn = ours ? head.refused?.bytes : undefined;
    const late = code === QUERY_CANCELED ? head.command?.late : undefined;
    const words = asked && !asked.isMeant(fields) ? asked.words : (ofStandIn ?? late);
    const replaced = this.#out.discarding ? NOTHING : (words ?? clean);
    if (head.command) {
      const { command } = head;
      if (!command.failed)
        command.summary = `${code}: ${readErrorFields((clean ?? bytes).subarray(HEADER_BYTES), encoding).get('M') ?? ''}`;
      command.failed = true;
      command.bytes += end - at;
      if (clean) this.#out.instead(command, chunk, at, end, clean);
      else this.#out.passed(command, chunk, at, end);
    }
    // A simple query, and the commit that a Sync makes, end in ReadyForQuery all the same.
    if (head.type === 'query' || head.type === 'sync') {
      // The client sends nothing behind a COPY that is due: where something is owed behind this, it may be that COPY.
      if (pipeline.headIsLast) this.#shared.intake.copyOver();
      return replaced;
    }
    if (head.command) this.#out.end(head.command, chunk, end, 'error');
    const { skipped, synced } = pipeline.skipToSync();
    for (const { command } of skipped) {
      if (command && command !== head.command && command.phase === 'run' && !command.ended) {
        this.#shared.recorder.end(command, 'skipped');
      }
    }
    this.#shared.intake.failed(synced);
    return replaced;
  }

  #readyStatus(chunk: Buffer, at: number): void {
    const { names, masks, transaction } = this.#shared;
    this.#shared.status = String.fromCharCode(chunk[at + HEADER_BYTES] ?? 0);
    transaction.ready(this.#shared.status);
    // Else a COPY may be due that was sent behind this.
    if (this.#shared.pipeline.idle) this.#shared.intake.copyOver();
    this.#out.discarding = false;
    if (this.#shared.status === 'I') names.transactionEnded(masks?.pooled);
    const { status, pipeline } = this.#shared;
    masks?.ready(status === 'I' ? 'idle' : status === 'T' ? 'open' : 'failed', pipeline.idle);
  }

  /** A portal's description is part of its answer. A statement's is kept for the answers of what will be bound of it. */
  #described(
    head: Extract<Owed, { type: 'describe' }>,
    tag: number,
    chunk: Buffer,
    at: number,
    end: number,
  ): Buffer | undefined {
    let instead: Buffer | undefined;
    if (head.command) {
      head.command.described = true;
      // It may be described more than once.
      head.command.hidden = undefined;
      if (tag === B.rowDescription) instead = this.#columns(head.command, chunk, at, end);
      else this.#out.passed(head.command, chunk, at, end);
    } else {
      const { statement } = head;
      if (statement && tag === B.rowDescription)
        this.#shared.names.described(statement, () => (statement.description = Buffer.from(chunk.subarray(at, end))));
      this.#out.from = end;
    }
    this.#shared.pipeline.shift();
    return instead ?? (head.own ? NOTHING : undefined);
  }

  #endAnswer(
    command: CommandState | undefined,
    chunk: Buffer,
    end: number,
    outcome: 'ok' | 'error' | 'suspended',
  ): void {
    if (command && (command.phase === 'run' || outcome === 'error')) this.#out.end(command, chunk, end, outcome);
    else this.#out.from = end;
    this.#shared.pipeline.shift();
  }

  #outOfPlace(tag: number): Error {
    const head = this.#shared.pipeline.head;
    return unexpected(
      `the target sent a "${String.fromCharCode(tag)}" message where it answers ${head ? `a ${head.type}` : 'nothing'}`,
    );
  }
}
