import { type RowEditor, Unmasked } from '@sluice/contract';
import { Reader, unexpected } from '@sluice/wire';
import { messageLength, type Shared } from './conversation.js';
import { copyFormats, resultColumns } from './description.js';
import { B, HEADER, readErrorFields } from './messages.js';
import type { Owed, Running } from './pipeline.js';
import { unmaskable } from './refusal.js';

/** A message that is not data and is longer than this is not one. */
const LONGEST = 16 * 1024 * 1024;

/** Settings that our reading of every statement rests on, and the only value that each may have. */
const PINNED: Readonly<Record<string, string>> = { standard_conforming_strings: 'on', client_encoding: 'UTF8' };

/**
 * The target's half: knows which command each message answers, checks that it is a message that may come now, and hands
 * the client the bytes as they came, but for the errors of stand-ins. Data rows are passed on in whole chunks, however
 * long they are.
 */
export class FromUpstream {
  readonly #shared: Shared;
  /** The start of a message whose rest has not come. */
  #partial: Buffer[] = [];
  #size = 0;
  #needed = HEADER;
  /** Bytes of the current data message that are still to come. */
  #passing = 0;
  /** What the rest of that message goes through. */
  #editing: RowEditor | undefined;
  /** A result could not be masked: the client was told, and gets nothing more until the target is ready again. */
  #discarding = false;
  /** Where, in the current chunk, the bytes start that belong to the current command's record. */
  #from = 0;
  /** Where, in the current chunk, the bytes start that the client has not been sent. */
  #run = 0;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** The client has had whole messages only. */
  get betweenMessages(): boolean {
    return this.#passing === 0;
  }

  receive(bytes: Buffer): void {
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
    this.#from = 0;
    this.#run = 0;
    if (this.#passing > 0) {
      at = Math.min(this.#passing, end);
      this.#passing -= at;
      if (this.#editing || this.#discarding) this.#edited(chunk, 0, at, this.#editing);
    }
    while (end - at >= HEADER) {
      const tag = chunk[at] as number;
      const size = 1 + messageLength(chunk, at);
      const next = at + size;
      if (tag === B.dataRow || tag === B.copyData) {
        at = this.#data(tag, chunk, at);
        continue;
      }
      if (size > LONGEST) throw unexpected(`the target sent a message of ${size} bytes`);
      if (next > end) break;
      const replaced = this.#reply(tag, chunk, at, next);
      if (replaced) this.#replace(chunk, at, next, replaced);
      at = next;
    }
    this.#closeChunk(chunk, at);
    this.#replace(chunk, at, at);
    if (at < end) {
      this.#keep(chunk.subarray(at));
      this.#needed = end - at < HEADER ? HEADER : 1 + messageLength(chunk, at);
    }
  }

  /** Sends what passes up to `at`, then these bytes in place of those up to `next`. */
  #replace(chunk: Buffer, at: number, next: number, bytes?: Buffer): void {
    const { wires } = this.#shared;
    const run = this.#run;
    if (run < at) wires.send('client', run === 0 && at === chunk.length ? chunk : chunk.subarray(run, at));
    if (bytes && bytes.length > 0) wires.send('client', bytes);
    this.#run = next;
  }

  /** For the next chunk: this one's memory is read into again. */
  #keep(bytes: Buffer): void {
    this.#partial.push(Buffer.from(bytes));
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
    if (!command.described) this.#describe(command);
    const passes = !this.#discarding && (command.masking === undefined || command.editor === 'pass');
    const end = chunk.length;
    let next = at;
    let rows = 0;
    do {
      const start = next;
      next += 1 + messageLength(chunk, start);
      rows++;
      if (passes && !command.full && !this.#shared.recorder.fits(command, next - this.#from)) {
        this.#take(command, chunk, start);
      }
    } while (end - next >= HEADER && chunk[next] === tag);
    command.rows += rows;
    command.bytes += next - at;
    this.#passing = Math.max(0, next - end);
    const stop = Math.min(next, end);
    if (passes) {
      this.#editing = undefined;
      return stop;
    }
    this.#editing = command.editor === 'pass' ? undefined : command.editor;
    this.#edited(chunk, at, stop, this.#editing);
    return stop;
  }

  /** Rows that may not pass as they are: what the editor makes of them goes to the client and into the record. */
  #edited(chunk: Buffer, at: number, next: number, editor: RowEditor | undefined): void {
    const command = this.#shared.pipeline.head?.command;
    if (command) this.#take(command, chunk, at);
    this.#from = next;
    this.#replace(
      chunk,
      at,
      next,
      this.#masked(() => editor?.push(chunk.subarray(at, next))),
    );
  }

  /** Rows out of an editor, into the record as far as they fit. What cannot be masked is left out, and the client told. */
  #masked(make: () => Buffer | undefined): Buffer {
    const command = this.#shared.pipeline.head?.command;
    if (this.#discarding || !command) return NOTHING;
    try {
      const rows = make();
      if (!rows) throw new Unmasked('The target sent rows that it had not described.');
      this.#takeMade(command, rows);
      return rows;
    } catch (error) {
      if (!(error instanceof Unmasked)) throw error;
      return this.#stop(command, error);
    }
  }

  #takeMade(command: Running, made: Buffer): void {
    const { recorder } = this.#shared;
    let fitting = 0;
    while (fitting < made.length && !command.full) {
      const next = fitting + 1 + messageLength(made, fitting);
      if (!recorder.fits(command, next)) break;
      fitting = next;
    }
    recorder.take(command, made.subarray(0, fitting));
  }

  /**
   * The client is told that its statement failed, and what the target still sends for it, and for all that was sent with
   * it, is read and dropped. The status that ends it is the target's own.
   */
  #stop(command: Running, error: Unmasked): Buffer {
    const { pipeline } = this.#shared;
    this.#discarding = true;
    command.full = true;
    command.failed = true;
    command.summary = `42501: ${error.message}`;
    if (pipeline.head?.type !== 'query') this.#shared.skipping = !pipeline.syncing;
    return unmaskable(error.message);
  }

  /** Everything else. Undefined: passes as it came; else what the client gets instead. */
  #reply(tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    switch (tag) {
      case B.noticeResponse:
      case B.notificationResponse:
        return this.#aside(tag, chunk, at, end);
      case B.parameterStatus:
        this.#parameterStatus(new Reader(chunk, at + HEADER, end));
        return undefined;
      case B.errorResponse:
        return this.#error(chunk, at, end);
      default:
    }
    const head = this.#shared.pipeline.head;
    if (!head) throw this.#outOfPlace(tag);
    if (head.refused) {
      // The stand-in for a simple query has failed; all that may follow is the status.
      if (head.type !== 'query' || tag !== B.readyForQuery) throw this.#outOfPlace(tag);
      this.#from = end;
      this.#shared.pipeline.shift();
      this.#readyStatus(chunk, at);
      return undefined;
    }
    if (head.command) head.command.bytes += end - at;
    const discarded = this.#discarding;
    const instead = this.#expected(head, tag, chunk, at, end);
    return discarded && this.#discarding ? NOTHING : instead;
  }

  /** Messages that come at any time and answer nothing. */
  #aside(tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { masks, pipeline } = this.#shared;
    if (!masks) return undefined;
    const command = pipeline.head?.command;
    const bytes = chunk.subarray(at, end);
    const clean = tag === B.noticeResponse && command?.masking ? command.masking.message(bytes) : masks.message(bytes);
    if (clean === bytes) return undefined;
    this.#instead(command, chunk, at, end, clean);
    return clean;
  }

  /** The record, too, has what the client was given. */
  #instead(command: Running | undefined, chunk: Buffer, at: number, end: number, clean: Buffer): void {
    if (!command) return;
    this.#take(command, chunk, at);
    this.#from = end;
    if (!command.full) this.#takeMade(command, clean);
  }

  /** The allow-list: which message may answer which. */
  #expected(head: Owed, tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    switch (head.type) {
      case 'parse':
        if (tag !== B.parseComplete) break;
        if (head.name !== undefined && head.statement) this.#shared.names.parsed(head.name, head.statement);
        this.#settled(head.command, chunk, end, 'ok');
        return undefined;
      case 'bind':
        if (tag !== B.bindComplete) break;
        if (head.portal !== undefined && head.command) this.#shared.names.bound(head.portal, head.command);
        // The recorded answer starts behind it: at the description, whichever that is.
        this.#from = end;
        this.#shared.pipeline.shift();
        return undefined;
      case 'close':
        if (tag !== B.closeComplete) break;
        this.#shared.names.closed(head.kind, head.name);
        this.#from = end;
        this.#shared.pipeline.shift();
        return undefined;
      case 'describe':
        if (tag === B.parameterDescription && head.statement) {
          head.statement.types = parameterTypes(new Reader(chunk, at + HEADER, end));
          return undefined;
        }
        if (tag !== B.rowDescription && tag !== B.noData) break;
        return this.#described(head, tag, chunk, at, end);
      case 'execute':
      case 'query':
        return this.#result(head, head.command as Running, tag, chunk, at, end);
      case 'sync':
        if (tag !== B.readyForQuery) break;
        this.#from = end;
        this.#shared.pipeline.shift();
        this.#readyStatus(chunk, at);
        return undefined;
    }
    throw this.#outOfPlace(tag);
  }

  /** What a running statement may answer (55.2.2, 55.2.3). */
  #result(head: Owed, command: Running, tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    switch (tag) {
      case B.rowDescription:
        if (head.type === 'execute') break;
        command.described = true;
        return this.#columns(command, chunk, at, end);
      case B.copyOutResponse:
        this.#passed(command, chunk, at, end);
        return this.#editedBy(command, () => {
          const formats = copyFormats(chunk.subarray(at + HEADER, end));
          return command.masking?.copy(statementOf(head, command), formats);
        });
      case B.copyDone:
        return this.#copyDone(command, chunk, at, end);
      case B.copyInResponse:
        // Only a statement that we know to be COPY FROM STDIN may put the target into that mode.
        if (this.#shared.copy !== 'due') break;
        this.#shared.copy = 'in';
        this.#shared.copiesLeft--;
        this.#passed(command, chunk, at, end);
        return undefined;
      case B.commandComplete:
      case B.emptyQueryResponse:
        command.masking?.completed(statementOf(head, command));
        if (head.type === 'query') command.editor = undefined;
        this.#completed(command, tag === B.commandComplete ? chunk.toString('utf8', at + HEADER, end - 1) : '');
        this.#passed(command, chunk, at, end);
        if (head.type === 'execute') this.#settled(command, chunk, end, command.failed ? 'error' : 'ok');
        return undefined;
      case B.portalSuspended:
        if (head.type !== 'execute') break;
        this.#passed(command, chunk, at, end);
        this.#settled(command, chunk, end, 'suspended');
        return undefined;
      case B.readyForQuery:
        if (head.type !== 'query') break;
        this.#settled(command, chunk, at, command.failed ? 'error' : 'ok');
        this.#readyStatus(chunk, at);
        this.#from = end;
        return undefined;
      default:
    }
    throw this.#outOfPlace(tag);
  }

  /** A result is described, and its rows will follow: it is settled now what they go through. */
  #columns(command: Running, chunk: Buffer, at: number, end: number): Buffer | undefined {
    this.#passed(command, chunk, at, end);
    const statement = this.#shared.pipeline.head?.type === 'query' ? command.completed : 0;
    return this.#editedBy(command, () =>
      command.masking?.rows(statement, resultColumns(chunk.subarray(at + HEADER, end))),
    );
  }

  /** The client gets the description as it is, or is told that the result cannot be masked. */
  #editedBy(command: Running, make: () => RowEditor | undefined): Buffer | undefined {
    if (!command.masking || this.#discarding) return undefined;
    try {
      command.editor = make() ?? 'pass';
      return undefined;
    } catch (error) {
      if (!(error instanceof Unmasked)) throw error;
      return this.#stop(command, error);
    }
  }

  #copyDone(command: Running, chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { editor } = command;
    if (!editor || editor === 'pass' || this.#discarding) {
      this.#passed(command, chunk, at, end);
      return undefined;
    }
    this.#take(command, chunk, at);
    const rest = this.#masked(() => editor.end());
    if (this.#discarding) return rest;
    return rest.length === 0 ? undefined : Buffer.concat([rest, chunk.subarray(at, end)]);
  }

  #completed(command: Running, tag: string): void {
    this.#shared.names.confirmed(command.effects[command.completed], command);
    command.completed++;
    if (!command.failed) command.summary = command.summary === '' ? tag : `${command.summary}; ${tag}`;
  }

  #error(chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { pipeline } = this.#shared;
    const head = pipeline.head;
    const bytes = chunk.subarray(at, end);
    const fields = readErrorFields(bytes.subarray(HEADER));
    const code = fields.get('C') ?? '';
    const fatal = fields.get('V') === 'FATAL' || fields.get('V') === 'PANIC';
    const ours = head?.refused !== undefined && head.refused.code === code && !fatal;
    const clean = this.#cleanError(head, bytes);
    if (!head || fatal) return clean;
    const replaced = this.#discarding ? NOTHING : ours ? head.refused?.bytes : clean;
    if (head.command) {
      const { command } = head;
      if (!command.failed)
        command.summary = `${code}: ${readErrorFields((clean ?? bytes).subarray(HEADER)).get('M') ?? ''}`;
      command.failed = true;
      command.bytes += end - at;
      if (clean) this.#instead(command, chunk, at, end, clean);
      else this.#passed(command, chunk, at, end);
    }
    this.#shared.copy = 'none';
    this.#shared.copiesLeft = 0;
    // A simple query, and the commit that a Sync makes, end in ReadyForQuery all the same.
    if (head.type === 'query' || head.type === 'sync') return replaced;
    if (head.command) this.#endRecord(head.command, chunk, end, 'error');
    const { skipped, synced } = pipeline.skipToSync();
    for (const { command } of skipped) {
      if (command && command !== head.command && command.phase === 'run' && !command.ended) {
        this.#shared.recorder.end(command, 'skipped');
      }
    }
    this.#shared.skipping = !synced;
    return replaced;
  }

  /** Undefined: the error may pass as it is. */
  #cleanError(head: Owed | undefined, bytes: Buffer): Buffer | undefined {
    const clean = head?.command?.masking?.message(bytes) ?? this.#shared.masks?.message(bytes);
    return clean === bytes ? undefined : clean;
  }

  #readyStatus(chunk: Buffer, at: number): void {
    const { names, masks } = this.#shared;
    this.#shared.status = String.fromCharCode(chunk[at + HEADER] ?? 0);
    this.#shared.copy = 'none';
    this.#discarding = false;
    if (this.#shared.status === 'I') names.transactionEnded();
    masks?.ready(this.#shared.status === 'I' ? 'idle' : this.#shared.status === 'T' ? 'open' : 'failed');
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
      if (tag === B.rowDescription) instead = this.#columns(head.command, chunk, at, end);
      else this.#passed(head.command, chunk, at, end);
    } else {
      if (head.statement && tag === B.rowDescription) head.statement.description = Buffer.from(chunk.subarray(at, end));
      this.#from = end;
    }
    this.#shared.pipeline.shift();
    return instead ?? (head.own ? NOTHING : undefined);
  }

  /** An answer that is not described on its own starts, in the record, with its statement's description. */
  #describe(command: Running): void {
    command.described = true;
    const description = command.statement?.description;
    if (description && this.#shared.recorder.fits(command, description.length)) {
      this.#shared.recorder.take(command, description);
    }
  }

  #parameterStatus(fields: Reader): void {
    const name = fields.cstring();
    const value = fields.cstring();
    const pinned = PINNED[name];
    if (pinned !== undefined && pinned !== value) {
      throw unexpected(
        `the target changed ${name} to "${value}", and statements can only be judged while it is "${pinned}"`,
      );
    }
  }

  /** A message of the current command went by: it is part of the record while it fits. */
  #passed(command: Running | undefined, chunk: Buffer, at: number, end: number): void {
    if (command && !this.#shared.recorder.fits(command, end - this.#from)) this.#take(command, chunk, at);
  }

  /** The record takes what lies between the last mark and here. */
  #take(command: Running, chunk: Buffer, to: number): void {
    if (this.#discarding) {
      this.#from = to;
      return;
    }
    if (!command.described && this.#shared.pipeline.head?.type === 'execute') this.#describe(command);
    if (this.#from < to && command.kept + (to - this.#from) <= this.#shared.limits.recorded) {
      this.#shared.recorder.take(command, chunk.subarray(this.#from, to));
    }
    this.#from = to;
  }

  #endRecord(command: Running, chunk: Buffer, end: number, outcome: 'ok' | 'error' | 'suspended'): void {
    if (!command.full) this.#take(command, chunk, end);
    this.#from = end;
    this.#shared.recorder.end(command, outcome);
  }

  #settled(command: Running | undefined, chunk: Buffer, end: number, outcome: 'ok' | 'error' | 'suspended'): void {
    if (command && (command.phase === 'run' || outcome === 'error')) this.#endRecord(command, chunk, end, outcome);
    else this.#from = end;
    this.#shared.pipeline.shift();
  }

  /** The chunk is about to go: what it holds of an answer that goes on is recorded. */
  #closeChunk(chunk: Buffer, at: number): void {
    const command = this.#shared.pipeline.head?.command;
    if (!command) return;
    if (!command.full) this.#take(command, chunk, at);
    this.#shared.recorder.flush(command);
  }

  #outOfPlace(tag: number): Error {
    const head = this.#shared.pipeline.head;
    return unexpected(
      `the target sent a "${String.fromCharCode(tag)}" message where it answers ${head ? `a ${head.type}` : 'nothing'}`,
    );
  }
}

const NOTHING = Buffer.alloc(0);

/** A portal has one statement, however often it is executed. */
const statementOf = (head: Owed, command: Running): number => (head.type === 'query' ? command.completed : 0);

function parameterTypes(fields: Reader): number[] {
  const count = fields.int16() & 0xffff;
  return Array.from({ length: count }, () => fields.int32());
}
