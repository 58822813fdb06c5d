/**
 * One request by HTTP as rules see it. Owns: its facts, and the answers to what conditions ask about it. Does not: decide, or
 * say where a request goes.
 */
import type { Action, Effect, Facts, HttpBody, HttpHead, HttpMessage, Resource } from '@sluice/contract';
import { Body, BodyUnreadable, type GrpcReader, isForm, mediaType } from './body.js';
import { type Pair, isField, readQuery } from './form.js';
import {
  type GraphqlOperation,
  type GraphqlShape,
  GraphqlError,
  graphqlActions,
  looksLikeEndpoint,
  operationsOf,
  shapeOf,
} from './graphql.js';
import { membersNamed } from './json.js';
import type { OpenApi } from './openapi.js';
import { type PathMode, type ReadPath, type Template, cleanedSegments, fit, readPath } from './path.js';

/** What a configuration says of the requests of a connection. */
export interface RequestReading {
  readonly paths: PathMode;
  /** 'apart': a path with a suffix is another one than without, also for rules that refuse. */
  readonly suffixes: 'alike' | 'apart';
  /** Endpoints of GraphQL besides those that look like one. */
  readonly graphql: readonly Template[];
  readonly spec: OpenApi | undefined;
  /** 'read': forms with uploads are read whole, as other forms are, because frameworks take their fields for commands. */
  readonly uploads: 'read' | 'stream';
  /** By the descriptors of the connection, where it has some. */
  readonly grpc?: GrpcReader | undefined;
}

export const PLAIN_READING: RequestReading = {
  paths: 'strict',
  suffixes: 'alike',
  graphql: [],
  spec: undefined,
  uploads: 'read',
};

const EFFECTS: Readonly<Record<string, Effect>> = {
  GET: 'read',
  HEAD: 'read',
  OPTIONS: 'read',
  POST: 'write',
  PUT: 'write',
  PATCH: 'write',
  DELETE: 'destroy',
};

/** Headers by which a request says that it is another method than it is. */
const OVERRIDES: ReadonlySet<string> = new Set(['x-http-method-override', 'x-http-method', 'x-method-override']);
/** Parameters and fields that say so (Symfony and its like, Salesforce, and those by which Firebase takes the headers in a query). */
const OVERRIDING_FIELDS = ['_method', '_HttpMethod', ...OVERRIDES];
const overrides = (name: string): boolean => OVERRIDING_FIELDS.some((one) => isField(name, one));
/** By which it says that its path is another (IIS, Symfony). */
const REWRITES: ReadonlySet<string> = new Set(['x-original-url', 'x-rewrite-url']);

export class Request {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly segments: readonly string[];
  /** As sent. */
  readonly query: string;
  /** Media type of the body, without parameters, lower case; empty without one. */
  readonly media: string;
  /** The protocol that it asks to switch to; empty: none. */
  readonly upgrade: string;
  /** 'text' or 'binary': it is said on a WebSocket. Else empty. */
  readonly message: string;
  readonly #head: HttpHead;
  readonly #read: ReadPath;
  readonly #reading: RequestReading;
  readonly #body: Body;
  #pairs: readonly Pair[] | undefined;
  #graphql: readonly GraphqlOperation[] | GraphqlError | undefined;

  constructor(
    head: HttpHead,
    body: HttpBody,
    upgrade = '',
    reading: RequestReading = PLAIN_READING,
    message: HttpMessage['kind'] | '' = '',
  ) {
    this.#head = head;
    this.#reading = reading;
    const { grpc } = reading;
    this.#body = new Body(body, grpc && ((bytes) => grpc.read(head.path, bytes)));
    this.#read = readPath(head.path, reading.paths);
    this.method = head.method;
    this.host = head.host;
    this.path = this.#read.path;
    this.segments = this.#read.segments;
    this.query = head.query;
    this.media = body.type === 'none' ? '' : mediaType(body.media);
    this.upgrade = upgrade;
    this.message = message;
  }

  /** Bytes of its body; -1 where that is not known yet. */
  get size(): number {
    const { body } = this.#body;
    if (body.type === 'stream') return body.length ?? -1;
    return body.type === 'none' ? 0 : body.bytes.length;
  }

  /** Of the OpenAPI document of its connection; empty: it is not in there, or there is none. */
  get operation(): string {
    return this.#reading.spec?.find(this.method, this.segments) ?? '';
  }

  /** The same for the path without a suffix, where it has one. */
  get operationAlike(): string {
    return this.#reading.spec?.find(this.method, this.segments, 'alike') ?? '';
  }

  /** Parameters of its path by a template; undefined: it does not fit. `suffixes`: see `fit`. */
  parameters(template: Template, suffixes?: 'alike'): Readonly<Record<string, string>> | undefined {
    const found = fit(template, this.segments, suffixes);
    if (found || this.#reading.paths === 'strict') return found;
    // What is left to the target may be this path there.
    const cleaned = cleanedSegments(this.segments);
    return cleaned && fit(template, cleaned, suffixes);
  }

  /** Its path may have a suffix that makes no difference: see `fit`. */
  get maySuffix(): boolean {
    return this.#reading.suffixes === 'alike' && /[. ]/.test(this.path);
  }

  queryValues(name: string): string[] {
    return this.#query.flatMap(([one, value]) =>
      isField(one, name) || isField(one.replace(/\[\d*\]$/, ''), name) ? [value] : [],
    );
  }

  headerValues(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.#head.headers.flatMap(([one, value]) => (one.toLowerCase() === wanted ? [value] : []));
  }

  /** @throws BodyUnread, BodyUnreadable */
  bodyValues(pointer: string): string[] {
    return [...this.#body.values(pointer)];
  }

  /**
   * The one value there, or an empty text.
   *
   * @throws BodyUnread, BodyUnreadable also where there are several
   */
  bodyValue(pointer: string): string {
    const values = this.#body.values(pointer);
    if (values.length > 1)
      throw new BodyUnreadable(`The rules read one value of this request's body, and it has ${values.length} of them.`);
    return values[0] ?? '';
  }

  /** Operations of GraphQL; none where it is no GraphQL. The error is for whoever asks about one that cannot be read. @throws BodyUnread */
  get graphql(): readonly GraphqlOperation[] | BodyUnreadable {
    const read = this.#readGraphql();
    return read instanceof GraphqlError
      ? new BodyUnreadable(`The rules read the GraphQL of this request, which ${read.message}.`)
      : read;
  }

  /** How its GraphQL shapes the answer; undefined: it is none. The error is for whoever has to know, and cannot. @throws BodyUnread */
  get shape(): GraphqlShape | BodyUnreadable | undefined {
    const read = this.#readGraphql();
    try {
      if (read instanceof GraphqlError) throw read;
      return read.length === 0 ? undefined : shapeOf(this.#query, this.media, this.#body);
    } catch (error) {
      if (!(error instanceof GraphqlError)) throw error;
      return new BodyUnreadable(`Rules mask places of this answer, and the GraphQL of this request ${error.message}.`);
    }
  }

  /** What it would do. @throws BodyUnread where that hangs on a body that has not been read */
  facts(): Facts {
    const forbidden = this.#forbidden();
    const graphql = this.#readGraphql();
    if (graphql instanceof GraphqlError)
      return this.#facts([this.#action(['unknown'], [graphql.message])], 'opaque', forbidden);
    if (graphql.length > 0) return this.#facts(graphqlActions(graphql), 'parsed', forbidden);
    const effect = EFFECTS[this.method];
    if (effect === undefined)
      return this.#facts([this.#action(['unknown'], ['is a method that is not known'])], 'exact', forbidden);
    return this.#facts([this.#action(this.#isPlain ? [effect] : ['read', 'write'], [])], 'exact', forbidden);
  }

  /** No more than its method says. */
  get #isPlain(): boolean {
    return this.upgrade === '' && this.message === '';
  }

  #facts(actions: readonly Action[], confidence: Facts['confidence'], forbidden: string | undefined): Facts {
    return { actions, confidence, statements: [], ...(forbidden !== undefined && { forbidden }) };
  }

  #action(effects: readonly Effect[], reasons: readonly string[]): Action {
    const access = ACCESS[effects[0] ?? 'unknown'] ?? 'execute';
    const url: Resource = { type: 'url', name: `${this.host}${this.path}`, access };
    const verb = this.message === '' ? (this.upgrade || this.method).toLowerCase() : 'message';
    return { statement: 0, depth: 0, verb, effects, resources: [url, ...this.#uploads()], reasons };
  }

  #uploads(): readonly Resource[] {
    if (this.#body.body.type !== 'whole' || this.media !== 'multipart/form-data') return [];
    const { read } = this.#body;
    if (read.type !== 'multipart') return [];
    return read.parts.flatMap(({ filename }): Resource[] =>
      filename === undefined ? [] : [{ type: 'file', name: filename, access: 'write' }],
    );
  }

  /** Whatever the rules say. */
  #forbidden(): string | undefined {
    if (this.#read.fault !== undefined) return this.#read.fault;
    for (const [name] of this.#head.headers) {
      const lower = name.toLowerCase();
      if (OVERRIDES.has(lower)) return `This request says in ${name} that it is another method than it is.`;
      if (REWRITES.has(lower)) return `This request says in ${name} that its path is another than it is.`;
    }
    if (this.method === 'TRACE' || this.method === 'CONNECT') return `Requests by ${this.method} do not pass.`;
    if (readQuery(this.query) === undefined) return 'The query of this request has too many parts.';
    if (this.headerValues('content-type').length > 1) return 'This request says twice what its body is.';
    if (this.#overridden())
      return 'This request says in a parameter or a field (as "_method") that it is another method than it is, or has a form in which it could.';
    return undefined;
  }

  #overridden(): boolean {
    if (this.#query.some(([name]) => overrides(name))) return true;
    const { body } = this.#body;
    if (this.method !== 'POST' || body.type === 'none' || !this.#mayOverride(body)) return false;
    const { read } = this.#body;
    // What a framework makes of a form that is not read here nobody knows.
    if (read.type === 'unreadable') return isForm(body.media) || /^multipart\/|[/+]json$/.test(this.media);
    if (read.type === 'form') return read.pairs.some(([name]) => overrides(name));
    if (read.type === 'multipart') return read.parts.some(({ name }) => overrides(name));
    return (
      read.type === 'json' && read.value.type === 'object' && membersNamed(read.value.members, '_method').length > 0
    );
  }

  /** Whether a body has to be looked at for what frameworks take for another method. Forms are; of the rest those that name it. */
  #mayOverride(body: Exclude<HttpBody, { type: 'none' }>): boolean {
    if (isForm(body.media)) return true;
    if (this.media.startsWith('multipart/')) return body.type === 'whole' || this.#reading.uploads === 'read';
    if (body.type === 'stream') return false;
    // A member's name may be escaped.
    return /_method|\\u/i.test(
      Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.length).toString('latin1'),
    );
  }

  get #query(): readonly Pair[] {
    return (this.#pairs ??= readQuery(this.query) ?? []);
  }

  get #isGraphql(): boolean {
    return (
      looksLikeEndpoint(this.segments) ||
      this.media === 'application/graphql' ||
      this.#reading.graphql.some((template) => fit(template, this.segments, this.#reading.suffixes) !== undefined)
    );
  }

  #readGraphql(): readonly GraphqlOperation[] | GraphqlError {
    return (this.#graphql ??= this.#operations());
  }

  #operations(): readonly GraphqlOperation[] | GraphqlError {
    // A page with a console, or a preflight, asks for nothing.
    const plain =
      (this.method === 'GET' || this.method === 'HEAD') &&
      !this.#query.some(([name]) => DOCUMENTS.some((one) => isField(name, one))) &&
      this.size === 0;
    if (!this.#isGraphql || this.method === 'OPTIONS') return [];
    if (!this.#isPlain) return new GraphqlError('is part of a connection whose GraphQL nobody reads');
    if (plain) return [];
    try {
      return operationsOf(this.#query, this.media, this.#body);
    } catch (error) {
      if (error instanceof GraphqlError) return error;
      throw error;
    }
  }
}

/** Parameters of a query that have a document of GraphQL, or name one that the server has. */
const DOCUMENTS = ['query', 'query[]', 'extensions', 'documentId', 'doc_id'];

const ACCESS: Readonly<Partial<Record<Effect, Resource['access']>>> = {
  read: 'read',
  write: 'write',
  destroy: 'destroy',
};
