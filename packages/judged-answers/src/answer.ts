/**
 * An answer by HTTP as rules see it. Owns: what of it is worked out when, and what people are shown of it. Does not: decide, or read a
 * format itself.
 */
import { hash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import type { Language } from '@sluice/analysis';
import type { Header } from '@sluice/contract';
import { AnswerUnread, type SeenAnswer, type SeenCode, type SeenWriting } from '@sluice/guardrails';
import { foundIn } from '@sluice/http-bodies';
import { BodyUnreadable, mediaType } from '@sluice/http-requests';
import {
  type AnswerKind,
  type KeptLine,
  type Meter,
  ModelText,
  type Operation,
  type Writing,
  foundInWriting,
  keptLines,
  readWriting,
} from '@sluice/language-models';
import { readCode } from './code.js';

const FIRST_FAULT = 400;
const JSON_HEADERS: readonly Header[] = [['Content-Type', 'application/json']];

/** A line of a file, and the answer in it. */
export interface AnswerLine {
  readonly line: KeptLine;
  readonly answer: Answer;
}

/** The head of one, and its body once that is all there. */
export class Answer implements SeenAnswer {
  readonly status: number;
  readonly media: string;
  readonly headers: readonly Header[];
  readonly #type: string;
  /** What a model was asked for, or 'lines' of a file that may have answers; undefined: it is the answer of none. */
  readonly #operation: Operation | 'lines' | undefined;
  readonly #body: Buffer | undefined;
  readonly #meter: Meter | undefined;
  #writing: Writing | undefined;
  #lines: readonly AnswerLine[] | undefined;
  #found: readonly string[] | undefined;
  #code: readonly SeenCode[] | undefined;
  /** Why it has not been analysed. */
  #unreadCode: BodyUnreadable | undefined;

  constructor(
    status: number,
    headers: readonly Header[],
    { operation, meter }: { readonly operation: AnswerKind | undefined; readonly meter?: Meter | undefined },
    body?: Buffer,
  ) {
    this.status = status;
    this.headers = headers;
    this.#type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
    this.media = mediaType(this.#type);
    this.#operation = operation === 'batch' ? undefined : operation;
    this.#meter = meter;
    this.#body = body;
  }

  /** All of it is here, and not its head alone. */
  get isWhole(): boolean {
    return this.#body !== undefined;
  }

  /** In brief, for the record. */
  get text(): string {
    const length = this.#body === undefined ? '' : `, ${this.#body.length} bytes`;
    return `${this.status} ${this.media === '' ? 'without a type' : this.media}${length}`;
  }

  get sha256(): string {
    return hash('sha256', this.#body ?? Buffer.alloc(0), 'hex');
  }

  found(): readonly string[] {
    const { lines } = this;
    if (lines) return (this.#found ??= [...new Set(lines.flatMap(({ answer }) => answer.found()))]);
    return (this.#found ??= this.#isWriting ? foundInWriting(this.#read) : this.#foundInBody());
  }

  /** Of a file: each by itself. Undefined: it has none. @throws AnswerUnread */
  get lines(): readonly AnswerLine[] | undefined {
    if (this.#operation !== 'lines') return undefined;
    this.#lines ??= (keptLines(this.body) ?? []).map((line) => {
      const { status, operation, body } = line;
      return { line, answer: new Answer(status, JSON_HEADERS, { operation }, body) };
    });
    return this.#lines.length === 0 ? undefined : this.#lines;
  }

  get #isWriting(): boolean {
    return this.#operation !== undefined && this.#operation !== 'lines';
  }

  get said(): SeenWriting | undefined {
    if (!this.#operation) return undefined;
    if (this.#operation === 'lines')
      return {
        text: () => new ModelText((this.lines ?? []).flatMap(({ answer }) => (answer.said ? answer.#read.texts : []))),
        code: () => (this.lines ?? []).flatMap(({ answer }) => answer.said?.code() ?? []),
      };
    return {
      text: () => new ModelText(this.#read.texts),
      code: () => {
        if (this.#code) return this.#code;
        if (this.#unreadCode) throw this.#unreadCode;
        // Why nobody could read it, where that is so.
        if (this.#read.texts.length === 0) return [];
        throw new AnswerUnread('its code has not been analysed');
      },
    };
  }

  /** Has its code analysed, which takes threads; what is unreadable is found out when a rule asks. Never rejects. */
  async analyse(languages: ReadonlyMap<string, Language>, owner: string): Promise<void> {
    if (this.#code || !this.#body || !this.#operation) return;
    if (this.#operation === 'lines') {
      for (const { answer } of this.lines ?? []) await answer.analyse(languages, owner);
      return;
    }
    try {
      this.#code = await readCode(this.#read.texts, languages, owner);
    } catch (error) {
      if (!(error instanceof BodyUnreadable)) throw error;
      this.#unreadCode = error;
    }
  }

  /**
   * All that a person reads before it passes.
   *
   * @throws BodyUnreadable where nobody could
   */
  get shown(): string {
    const { lines } = this;
    if (lines) return lines.map(({ line, answer }) => `Line ${line.number}:\n${answer.shown}`).join('\n\n');
    if (!this.#isWriting) return textOf(this.body);
    const { texts, calls } = this.#read;
    const made = calls.map(({ tool, input }) => `The tool "${tool}" would be called with ${input}`);
    return [...texts.filter((text) => !calls.some(({ input }) => input === text)), ...made].join('\n\n');
  }

  /** @throws AnswerUnread */
  get body(): Buffer {
    if (this.#body === undefined) throw new AnswerUnread('its body is not there');
    return this.#body;
  }

  get #read(): Writing {
    return (this.#writing ??= this.#write());
  }

  #write(): Writing {
    const body = this.body;
    const operation = this.#operation as Operation;
    try {
      return readWriting(operation, body, this.media === 'text/event-stream', this.#meter);
    } catch (error) {
      // What proxies say is wrong, in a page or a line.
      if (!(error instanceof BodyUnreadable) || this.status < FIRST_FAULT) throw error;
      return { texts: [textOf(body)], others: [], calls: [] };
    }
  }

  #foundInBody(): readonly string[] {
    const bytes = this.body;
    if (bytes.length === 0) return [];
    try {
      return foundIn({ type: 'whole', media: this.#type, bytes }, '');
    } catch (error) {
      if (!(error instanceof BodyUnreadable)) throw error;
      throw new BodyUnreadable('The rules look for secrets in this answer, and nobody here can read it.');
    }
  }
}

function textOf(bytes: Buffer): string {
  // Messages of gRPC may well be UTF-8, and no text.
  if (!isUtf8(bytes) || bytes.includes(0))
    throw new BodyUnreadable('People have to read this answer first, and it is no text.');
  return bytes.toString('utf8');
}
