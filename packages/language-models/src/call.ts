/**
 * One call of a model as rules see it. Owns: its facts, and the answers to what conditions ask about it. Does not: decide, or say whether a
 * request is one (provider.ts).
 */
import type { Action, Detector, Facts, HttpBody, HttpHead, Resource } from '@sluice/contract';
import { foundInTexts } from '@sluice/http-bodies';
import { Body, BodyUnreadable, type Json } from '@sluice/http-requests';
import type { Call, Operation } from './provider.js';
import { type Message, type Said, CallError, readCall } from './requests/read.js';
import { plainText } from './requests/normal.js';
import { ModelText } from './requests/text.js';
import { TOKENS_PER_IMAGE, estimatedTokens } from './requests/tokens.js';

/** What rules read of one request. More than any model takes, and it is looked through on the thread that serves everybody. */
const MAX_READ_CHARACTERS = 8 * 1024 * 1024;

/** A message as conditions see it. */
export interface SeenMessage {
  readonly role: string;
  readonly text: ModelText;
  /** What detectors find in it, by the names that rules use. */
  readonly found: readonly Detector[];
}

/** What the path of a call says of it. */
type OfThePath = Pick<Extract<Call, { type: 'call' }>, 'model' | 'stream'>;
const NOTHING: OfThePath = { model: undefined, stream: undefined };
const NOTHING_SAID: Said = {
  model: '',
  stream: false,
  messages: [],
  tools: [],
  images: 0,
  files: 0,
  continues: false,
  mostOutput: undefined,
  choices: 1,
  background: false,
  numbers: 0,
};

interface DocumentParts {
  readonly texts?: readonly string[];
  readonly images: number;
  readonly files: number;
}

export class ModelCall {
  /** Empty: it is no call, and has texts that a model may be given later. */
  readonly operation: Operation | '';
  readonly model: string;
  readonly stream: boolean;
  readonly #said: Said;
  #text: ModelText | undefined;
  #messages: readonly SeenMessage[] | undefined;
  #found: readonly Detector[] | undefined;

  /**
   * `path`: what it says of the call.
   *
   * @throws CallError for what is no such request, BodyUnread where its body has not been read
   */
  static read(operation: Operation, body: HttpBody, path: OfThePath = NOTHING): ModelCall {
    const { read } = new Body(body);
    if (read.type === 'unreadable') throw new CallError(`has a body that ${read.why}`);
    if (read.type !== 'json') throw new CallError('has a body that is no JSON');
    return ModelCall.of(operation, read.value, path);
  }

  /** `body`: as it has been read. @throws CallError */
  static of(operation: Operation, body: Json, path: OfThePath = NOTHING): ModelCall {
    return new ModelCall(operation, readCall(operation, body), path);
  }

  /** A document that the provider is to keep: `texts` where it has some, else so many `images` or `files` that nobody reads. */
  static document({ texts, ...counts }: DocumentParts): ModelCall {
    const messages = texts ? [{ role: 'user', parts: texts, all: texts }] : [];
    return new ModelCall('', { ...NOTHING_SAID, ...counts, messages }, NOTHING);
  }

  private constructor(operation: Operation | '', said: Said, path: OfThePath) {
    this.operation = operation;
    this.#said = said;
    this.model = path.model ?? said.model;
    this.stream = path.stream ?? said.stream;
  }

  get tools(): readonly string[] {
    return this.#said.tools;
  }

  get continues(): boolean {
    return this.#said.continues;
  }

  get images(): number {
    return this.#said.images;
  }

  get files(): number {
    return this.#said.files;
  }

  get roles(): readonly string[] {
    return [...new Set(this.#said.messages.map(({ role }) => role))];
  }

  /** Its texts stand there as numbers of tokens, which nobody here reads. */
  get isTokenised(): boolean {
    return this.#said.numbers > 0;
  }

  /** Tokens that each choice of its answer may have at most, where it says so. */
  get mostOutput(): number | undefined {
    return this.#said.mostOutput;
  }

  /** Its answer is made when it is over, and asked for by another request. */
  get background(): boolean {
    return this.#said.background;
  }

  /** How many choices are made. */
  get choices(): number {
    return this.#said.choices;
  }

  /** An estimate, of all that is sent. */
  get tokens(): number {
    const texts = this.#said.messages.flatMap(({ parts }) => parts);
    return texts.reduce(
      (sum, text) => sum + estimatedTokens(text),
      this.images * TOKENS_PER_IMAGE + this.#said.numbers,
    );
  }

  /** @throws BodyUnreadable where nobody can read what is said */
  get text(): ModelText {
    return (this.#text ??= new ModelText(this.#read.flatMap(({ parts }) => parts)));
  }

  /** @throws BodyUnreadable where nobody can read what is said */
  get messages(): readonly SeenMessage[] {
    return (this.#messages ??= this.#read.map(({ role, parts, all }) => ({
      role,
      text: new ModelText(parts),
      // As they are written, and as a reader sees them.
      found: foundInTexts([...new Set([...all, ...[...all, parts.join('')].map(plainText)])]),
    })));
  }

  /** What detectors find in its texts, also in what is spread over messages. @throws BodyUnreadable */
  get found(): readonly Detector[] {
    return (this.#found ??= [
      ...new Set([
        ...this.messages.flatMap(({ found }) => found),
        ...foundInTexts([plainText(this.#read.flatMap(({ parts }) => parts).join(''))]),
      ]),
    ]);
  }

  facts({ host, path }: Pick<HttpHead, 'host' | 'path'>): Facts {
    const verb = this.operation === '' ? 'upload' : VERBS[this.operation];
    const resources: readonly Resource[] = [
      { type: 'url', name: `${host}${path}`, access: 'execute' },
      { type: 'model', name: this.model, access: 'execute' },
      ...this.tools.map((name): Resource => ({ type: 'tool', name, access: 'execute' })),
    ];
    const action: Action = { statement: 0, depth: 0, verb, effects: ['egress'], resources, reasons: [] };
    return { actions: [action], confidence: 'parsed', statements: [] };
  }

  get #length(): number {
    return this.#said.messages.reduce((sum, { parts }) => parts.reduce((one, part) => one + part.length, sum), 0);
  }

  get #read(): readonly Message[] {
    if (this.isTokenised)
      throw new BodyUnreadable(
        'The rules read what is said to the model, and this request has numbers of tokens there.',
      );
    if (this.#length > MAX_READ_CHARACTERS)
      throw new BodyUnreadable(
        `The rules read what is said to the model, which has more than ${MAX_READ_CHARACTERS} characters.`,
      );
    return this.#said.messages;
  }
}

const VERBS: Readonly<Record<Operation, string>> = {
  chat: 'generate',
  completions: 'generate',
  responses: 'generate',
  messages: 'generate',
  contents: 'generate',
  embeddings: 'embed',
  count: 'count',
};

export { CallError } from './requests/read.js';
