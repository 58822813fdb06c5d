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
  type Meter,
  ModelText,
  type Operation,
  type Writing,
  foundInWriting,
  readWriting,
} from '@sluice/language-models';
import { readCode } from './code.js';

const FIRST_FAULT = 400;

/** The head of one, and its body once that is all there. */
export class Answer implements SeenAnswer {
  readonly status: number;
  readonly media: string;
  readonly headers: readonly Header[];
  readonly #type: string;
  /** What a model was asked for; undefined: it is the answer of none. */
  readonly #operation: Operation | undefined;
  readonly #body: Buffer | undefined;
  readonly #meter: Meter | undefined;
  #writing: Writing | undefined;
  #found: readonly string[] | undefined;
  #code: readonly SeenCode[] | undefined;
  /** Why it has not been analysed. */
  #unreadCode: BodyUnreadable | undefined;

  constructor(
    status: number,
    headers: readonly Header[],
    { operation, meter }: { readonly operation: Operation | undefined; readonly meter?: Meter | undefined },
    body?: Buffer,
  ) {
    this.status = status;
    this.headers = headers;
    this.#type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
    this.media = mediaType(this.#type);
    this.#operation = operation;
    this.#meter = meter;
    this.#body = body;
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
    return (this.#found ??= this.#operation ? foundInWriting(this.#read) : this.#foundInBody());
  }

  get said(): SeenWriting | undefined {
    if (!this.#operation) return undefined;
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
    if (!this.#operation) return textOf(this.body);
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
