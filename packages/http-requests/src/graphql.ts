/**
 * GraphQL in a request. Owns: which operations it asks for, and the root fields of each behind aliases and fragments. Does not: the
 * schema of a server, which nobody here has.
 */
import { hash } from 'node:crypto';
import type { Action, Effect } from '@sluice/contract';
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
  parse,
  visit,
} from 'graphql';
import type { Body } from './body.js';
import { type Pair, isField } from './form.js';
import { type Json, JsonError, membersNamed, readJson, textOf } from './json.js';

export interface GraphqlOperation {
  readonly type: 'query' | 'mutation' | 'subscription';
  /** Empty without one. */
  readonly name: string;
  /** Names of fields of the root type, each once. */
  readonly fields: readonly string[];
}

/** Why it cannot be told what a request asks for: a phrase of which the request is the subject. */
export class GraphqlError extends Error {
  override readonly name = 'GraphqlError';
}

/** What a request says beside its document. */
interface GraphqlRequest {
  readonly document: string;
  readonly operationName: string | undefined;
}

/** Of all documents of one request. */
const MAX_TOKENS = 20_000;
/** Requests that come as one list. */
const MAX_BATCH = 100;
/** Fields of root types that one request asks for, each as often as an operation has it: a fragment multiplies what it takes to send. */
const MAX_FIELDS = 1_000;

/** What one request may still have read of it. */
interface Left {
  tokens: number;
  fields: number;
}

/** Segments that a path of a GraphQL endpoint has, whatever a configuration says. */
const ENDPOINTS: ReadonlySet<string> = new Set(['graphql', 'graphiql', 'gql']);

/** Whether requests for this path are GraphQL: it says so itself, in whatever case and with whatever behind a
 * semicolon or a dot (`graphql.json`). */
export const looksLikeEndpoint = (segments: readonly string[]): boolean =>
  segments.some((segment) => ENDPOINTS.has((/^[^;.]*/.exec(segment)?.[0] ?? '').toLowerCase()));

/**
 * The operations that a request asks for.
 *
 * @throws GraphqlError where that cannot be told; BodyUnread
 */
export function operationsOf(query: readonly Pair[], media: string, body: Body): readonly GraphqlOperation[] {
  const left: Left = { tokens: MAX_TOKENS, fields: MAX_FIELDS };
  return wishesOf(query, media, body).flatMap((wish) => operations(wish, left));
}

function wishesOf(query: readonly Pair[], media: string, body: Body): readonly GraphqlRequest[] {
  const inQuery = wishOfPairs(query);
  const wishes = [...(inQuery ? [inQuery] : []), ...requestsOfBody(media, body)];
  if (wishes.length === 0) throw new GraphqlError('has no GraphQL document');
  // Servers take one of two, and which is for them to say.
  if (inQuery && wishes.length > 1) throw new GraphqlError('has one GraphQL document in its query and one in its body');
  return wishes;
}

/** How an answer is shaped by what was asked, whatever the schema says. */
export interface GraphqlShape {
  /** By the name of a field, in lower case: what it is called in the answer besides. */
  readonly aliases: ReadonlyMap<string, ReadonlySet<string>>;
  /** The answer may be a list of answers. */
  readonly isBatch: boolean;
  /** It may come in several pieces with a frame of their own. */
  readonly streams: boolean;
}

/** @throws GraphqlError where that cannot be told; BodyUnread */
export function shapeOf(query: readonly Pair[], media: string, body: Body): GraphqlShape {
  const left: Left = { tokens: MAX_TOKENS, fields: MAX_FIELDS };
  const aliases = new Map<string, Set<string>>();
  let streams = false;
  for (const { document } of wishesOf(query, media, body))
    visit(parsedDocument(document, left), {
      OperationDefinition: ({ operation }) => void (streams ||= operation === OperationTypeNode.SUBSCRIPTION),
      Field: ({ alias, name }) => {
        if (!alias || alias.value === name.value) return;
        const known = aliases.get(name.value.toLowerCase()) ?? new Set();
        aliases.set(name.value.toLowerCase(), known.add(alias.value));
      },
      Directive({ name }) {
        if (IN_PIECES.has(name.value)) throw new GraphqlError(`has its answer come in pieces (@${name.value})`);
      },
    });
  const { read } = body;
  return { aliases, isBatch: read.type === 'json' && read.value.type === 'array', streams };
}

/** What comes of these stands elsewhere in the answer. */
const IN_PIECES: ReadonlySet<string> = new Set(['defer', 'stream']);

function requestsOfBody(media: string, body: Body): readonly GraphqlRequest[] {
  if (media === 'application/graphql') {
    if (body.body.type !== 'whole') return body.read.type === 'empty' ? [] : [];
    return [{ document: Buffer.from(body.body.bytes).toString('utf8'), operationName: undefined }];
  }
  const { read } = body;
  switch (read.type) {
    case 'empty':
      return [];
    case 'json':
      return wishesOfJson(read.value);
    case 'form':
      return onlyWish(wishOfPairs(read.pairs));
    case 'multipart':
      // The multipart request spec: the operations are JSON in a field of that name.
      return wishOfParts(read.parts.map(({ name, value }): Pair => [name, value]));
    case 'messages':
      throw new GraphqlError('is gRPC, and has no GraphQL document');
    default:
      throw new GraphqlError(read.why);
  }
}

const onlyWish = (wish: GraphqlRequest | undefined): readonly GraphqlRequest[] => (wish ? [wish] : []);

function wishOfParts(pairs: readonly Pair[]): readonly GraphqlRequest[] {
  throw new GraphqlError(
    pairs.some(([name]) => name === 'operations')
      ? 'is a GraphQL request with uploads, which is not read here'
      : 'has no GraphQL document',
  );
}

function wishOfPairs(pairs: readonly Pair[]): GraphqlRequest | undefined {
  const values = (name: string): readonly string[] =>
    pairs.flatMap(([one, value]) => (isField(one, name) ? [value] : []));
  const documents = values('query');
  const names = values('operationName');
  if (documents.length > 1 || names.length > 1) throw new GraphqlError('names its GraphQL document twice');
  if (documents[0] === undefined) {
    if (values('extensions').length > 0) throw new GraphqlError(PERSISTED);
    return undefined;
  }
  if (PERSISTING.some((name) => values(name).length > 0)) throw new GraphqlError(PERSISTED);
  for (const one of values('extensions')) checkPersisted(readExtensions(one), documents[0]);
  return { document: documents[0], operationName: names[0] };
}

function readExtensions(text: string): Json {
  try {
    return readJson(text);
  } catch (error) {
    if (error instanceof JsonError) throw new GraphqlError(`has extensions that are no JSON: it ${error.message}`);
    throw error;
  }
}

/** Members that name a document of the server. One beside a document may count more than that. */
const PERSISTING = ['documentId', 'doc_id'];

/** A document may come with the digest that its server keeps it by (Apollo), and with that of no other one. */
function checkPersisted(extensions: Json | undefined, document: string): void {
  if (extensions?.type !== 'object') return;
  const digests = membersNamed(extensions.members, 'persistedQuery').flatMap((one) =>
    one.type === 'object' ? membersNamed(one.members, 'sha256Hash') : [one],
  );
  const own = digests.length === 0 ? '' : hash('sha256', document, 'hex');
  if (digests.some((one) => textOf(one).toLowerCase() !== own)) throw new GraphqlError(PERSISTED);
}

const PERSISTED = 'names a document that the server has, which nobody has read here';

function wishesOfJson(value: Json): readonly GraphqlRequest[] {
  if (value.type === 'array') {
    if (value.items.length > MAX_BATCH) throw new GraphqlError(`asks for more than ${MAX_BATCH} operations at once`);
    return value.items.flatMap(wishesOfJson);
  }
  if (value.type !== 'object') throw new GraphqlError('has no GraphQL document');
  const documents = membersNamed(value.members, 'query');
  const names = membersNamed(value.members, 'operationName');
  if (documents.length > 1 || names.length > 1) throw new GraphqlError('names its GraphQL document twice');
  const [document] = documents;
  const [name] = names;
  if (document?.type !== 'string')
    throw new GraphqlError(document === undefined ? PERSISTED : 'has no GraphQL document');
  const isPersisted = PERSISTING.some((one) => membersNamed(value.members, one).some((id) => textOf(id) !== 'null'));
  if (isPersisted) throw new GraphqlError(PERSISTED);
  for (const one of membersNamed(value.members, 'extensions')) checkPersisted(one, document.text);
  const named = name?.type === 'string' ? textOf(name) : undefined;
  return [{ document: document.text, operationName: named }];
}

function operations({ document, operationName }: GraphqlRequest, left: Left): readonly GraphqlOperation[] {
  const parsed = parsedDocument(document, left);
  const fragments = new Map<string, FragmentDefinitionNode>();
  const found: OperationDefinitionNode[] = [];
  for (const one of parsed.definitions) {
    if (one.kind === Kind.OPERATION_DEFINITION) found.push(one);
    else if (one.kind !== Kind.FRAGMENT_DEFINITION) throw new GraphqlError('has definitions of a schema');
    else if (fragments.has(one.name.value)) throw new GraphqlError('has two fragments of the same name');
    else fragments.set(one.name.value, one);
  }
  if (found.length === 0) throw new GraphqlError('has no GraphQL operation');
  // Where the name picks exactly one, the server runs that; in doubt all of them count.
  const named = found.filter(({ name }) => name?.value === operationName);
  const picked = operationName !== undefined && operationName !== '' && named.length === 1 ? named : found;
  return picked.map((one) => ({
    type: one.operation,
    name: one.name?.value ?? '',
    fields: [...rootFields(one.selectionSet, fragments, left)],
  }));
}

function parsedDocument(document: string, left: Left): DocumentNode {
  try {
    const parsed = parse(document, { noLocation: true, maxTokens: left.tokens });
    left.tokens -= parsed.tokenCount ?? left.tokens;
    return parsed;
  } catch (error) {
    // A RangeError is nesting that the parser's stack has no room for.
    if (error instanceof RangeError) throw new GraphqlError('is nested too deep');
    throw new GraphqlError('has a GraphQL document that does not parse');
  }
}

/** Directives may leave a field out; that it may be there is what counts. */
function rootFields(
  root: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  left: Left,
): ReadonlySet<string> {
  const fields = new Set<string>();
  const seen = new Set<string>();
  const open: SelectionSetNode[] = [root];
  for (let set = open.pop(); set; set = open.pop()) {
    for (const one of set.selections) {
      if (--left.fields < 0) throw new GraphqlError(`asks for more than ${MAX_FIELDS} fields`);
      if (one.kind === Kind.FIELD) fields.add(one.name.value);
      else if (one.kind === Kind.INLINE_FRAGMENT) open.push(one.selectionSet);
      else {
        const fragment = fragments.get(one.name.value);
        if (!fragment) throw new GraphqlError('uses a fragment that it does not have');
        if (!seen.has(one.name.value)) open.push(fragment.selectionSet);
        seen.add(one.name.value);
      }
    }
  }
  return fields;
}

/** One action for each root field. */
export function graphqlActions(operations: readonly GraphqlOperation[]): readonly Action[] {
  return operations.flatMap(({ type, fields }, statement) =>
    fields.map(
      (field): Action => ({
        statement,
        depth: 0,
        verb: type,
        effects: effectsOf(type, field),
        resources: [{ type: 'field', name: field, access: type === 'mutation' ? 'write' : 'read' }],
        reasons: [],
      }),
    ),
  );
}

function effectsOf(type: GraphqlOperation['type'], field: string): readonly Effect[] {
  if (type !== 'mutation') return ['read'];
  return /delete|remove|purge|destroy|erase|drop/i.test(field) ? ['destroy'] : ['write'];
}
