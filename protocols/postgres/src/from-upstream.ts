import { Reader, unexpected } from '@sluice/wire';
import { messageLength, type Shared } from './conversation.js';
import { B, HEADER, readErrorFields } from './messages.js';
import type { Owed, Running } from './pipeline.js';

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
  /** Where, in the current chunk, the bytes start that belong to the current command's record. */
  #from = 0;

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
    let run = 0;
    this.#from = 0;
    if (this.#passing > 0) {
      at = Math.min(this.#passing, end);
      this.#passing -= at;
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
      if (replaced) {
        if (run < at) this.#shared.wires.send('client', chunk.subarray(run, at));
        if (replaced.length > 0) this.#shared.wires.send('client', replaced);
        run = next;
      }
      at = next;
    }
    this.#closeChunk(chunk, at);
    if (run < at) this.#shared.wires.send('client', run === 0 && at === end ? chunk : chunk.subarray(run, at));
    if (at < end) {
      this.#keep(chunk.subarray(at));
      this.#needed = end - at < HEADER ? HEADER : 1 + messageLength(chunk, at);
    }
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
    const end = chunk.length;
    let next = at;
    let rows = 0;
    do {
      const start = next;
      next += 1 + messageLength(chunk, start);
      rows++;
      if (!command.full && !this.#shared.recorder.fits(command, next - this.#from)) this.#take(command, chunk, start);
    } while (end - next >= HEADER && chunk[next] === tag);
    command.rows += rows;
    command.bytes += next - at;
    if (next <= end) return next;
    this.#passing = next - end;
    return end;
  }

  /** Everything else. Undefined: passes as it came; else what the client gets instead. */
  #reply(tag: number, chunk: Buffer, at: number, end: number): Buffer | undefined {
    switch (tag) {
      case B.noticeResponse:
      case B.notificationResponse:
        return undefined;
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
    this.#expected(head, tag, chunk, at, end);
    return undefined;
  }

  /** The allow-list: which message may answer which. */
  #expected(head: Owed, tag: number, chunk: Buffer, at: number, end: number): void {
    switch (head.type) {
      case 'parse':
        if (tag !== B.parseComplete) break;
        if (head.name !== undefined && head.statement) this.#shared.names.parsed(head.name, head.statement);
        return this.#settled(head.command, chunk, end, 'ok');
      case 'bind':
        if (tag !== B.bindComplete) break;
        if (head.portal !== undefined && head.command) this.#shared.names.bound(head.portal, head.command);
        // The recorded answer starts behind it: at the description, whichever that is.
        this.#from = end;
        return this.#shared.pipeline.shift();
      case 'close':
        if (tag !== B.closeComplete) break;
        this.#shared.names.closed(head.kind, head.name);
        this.#from = end;
        return this.#shared.pipeline.shift();
      case 'describe':
        if (tag === B.parameterDescription && head.statement) {
          head.statement.types = parameterTypes(new Reader(chunk, at + HEADER, end));
          return;
        }
        if (tag !== B.rowDescription && tag !== B.noData) break;
        this.#described(head, tag, chunk, at, end);
        return this.#shared.pipeline.shift();
      case 'execute':
      case 'query':
        if (this.#result(head, head.command as Running, tag, chunk, at, end)) return;
        break;
      case 'sync':
        if (tag !== B.readyForQuery) break;
        this.#from = end;
        this.#shared.pipeline.shift();
        return this.#readyStatus(chunk, at);
    }
    throw this.#outOfPlace(tag);
  }

  /** What a running statement may answer (55.2.2, 55.2.3). */
  #result(head: Owed, command: Running, tag: number, chunk: Buffer, at: number, end: number): boolean {
    switch (tag) {
      case B.rowDescription:
        if (head.type === 'execute') return false;
        command.described = true;
        this.#passed(command, chunk, at, end);
        return true;
      case B.copyOutResponse:
      case B.copyDone:
        this.#passed(command, chunk, at, end);
        return true;
      case B.copyInResponse:
        // Only a statement that we know to be COPY FROM STDIN may put the target into that mode.
        if (this.#shared.copy !== 'due') return false;
        this.#shared.copy = 'in';
        this.#shared.copiesLeft--;
        this.#passed(command, chunk, at, end);
        return true;
      case B.commandComplete:
      case B.emptyQueryResponse:
        this.#completed(command, tag === B.commandComplete ? chunk.toString('utf8', at + HEADER, end - 1) : '');
        this.#passed(command, chunk, at, end);
        if (head.type === 'execute') this.#settled(command, chunk, end, 'ok');
        return true;
      case B.portalSuspended:
        if (head.type !== 'execute') return false;
        this.#passed(command, chunk, at, end);
        this.#settled(command, chunk, end, 'suspended');
        return true;
      case B.readyForQuery:
        if (head.type !== 'query') return false;
        this.#settled(command, chunk, at, command.failed ? 'error' : 'ok');
        this.#readyStatus(chunk, at);
        this.#from = end;
        return true;
      default:
        return false;
    }
  }

  #completed(command: Running, tag: string): void {
    this.#shared.names.confirmed(command.effects[command.completed], command);
    command.completed++;
    command.summary = command.summary === '' ? tag : `${command.summary}; ${tag}`;
  }

  #error(chunk: Buffer, at: number, end: number): Buffer | undefined {
    const { pipeline } = this.#shared;
    const head = pipeline.head;
    const fields = readErrorFields(chunk.subarray(at + HEADER, end));
    const code = fields.get('C') ?? '';
    const fatal = fields.get('V') === 'FATAL' || fields.get('V') === 'PANIC';
    const ours = head?.refused !== undefined && head.refused.code === code && !fatal;
    const replaced = ours ? head.refused?.bytes : undefined;
    if (!head || fatal) return undefined;
    if (head.command) {
      head.command.failed = true;
      head.command.bytes += end - at;
      head.command.summary = `${code}: ${fields.get('M') ?? ''}`;
      this.#passed(head.command, chunk, at, end);
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

  #readyStatus(chunk: Buffer, at: number): void {
    const { names } = this.#shared;
    this.#shared.status = String.fromCharCode(chunk[at + HEADER] ?? 0);
    this.#shared.copy = 'none';
    if (this.#shared.status === 'I') names.transactionEnded();
  }

  /** A portal's description is part of its answer. A statement's is kept for the answers of what will be bound of it. */
  #described(head: Extract<Owed, { type: 'describe' }>, tag: number, chunk: Buffer, at: number, end: number): void {
    if (head.command) {
      head.command.described = true;
      this.#passed(head.command, chunk, at, end);
    } else {
      if (head.statement && tag === B.rowDescription) head.statement.description = Buffer.from(chunk.subarray(at, end));
      this.#from = end;
    }
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

function parameterTypes(fields: Reader): number[] {
  const count = fields.int16() & 0xffff;
  return Array.from({ length: count }, () => fields.int32());
}
