/**
 * Requests to language models before the rules. Owns: which requests of a connection are calls of a model, their facts, and what is
 * refused because nobody can read it. Does not: decide, or know what a provider's requests look like.
 */
import type { Deny, Detector, Facts, HttpBody } from '@sluice/contract';
import { foundIn } from '@sluice/http-bodies';
import type { Request, RequestRead } from '@sluice/http-requests';
import { type AnswerOf, isWritten } from './answers/editors.js';
import { CallError, ModelCall } from './call.js';
import { type AskedBatch, readBatch } from './files/batch.js';
import { type Upload, batchFacts, documentOf, readUpload, uploadAction } from './files/upload.js';
import { type Call, callOf } from './provider.js';
import type { ModelSettings } from './settings.js';

export type ReadModel =
  /** It is no call of a model, and its facts are those of any request. */
  | { readonly type: 'none'; readonly answers?: AnswerOf }
  | { readonly type: 'call'; readonly call: ModelCall; readonly facts: Facts; readonly answers?: AnswerOf }
  /** A file that the provider is to keep. `facts`: what is done beside the calls in it. */
  | { readonly type: 'file'; readonly upload: Upload; readonly facts: Facts; readonly settings: ModelSettings }
  /** Calls of a file that it keeps are to be made. */
  | { readonly type: 'batch'; readonly batch: AskedBatch; readonly facts: Facts; readonly settings: ModelSettings }
  /** It carries something that nobody here reads. */
  | { readonly type: 'unread'; readonly facts: Facts; readonly answers?: AnswerOf }
  | { readonly type: 'refused'; readonly answer: Deny }
  /** Its body is longer than one that is judged may be. */
  | { readonly type: 'too-long' };

/** Of a protocol that is switched to nobody here reads anything. */
const callIn = (
  { provider }: ModelSettings,
  { method, segments, upgrade, message }: Request,
  body: HttpBody['type'],
): Call => (upgrade === '' && message === '' ? callOf(provider, method, segments, body) : { type: 'unread' });

/** Whether a request with such a body is judged by what it says to a model. */
export const saysSomething = (settings: ModelSettings | undefined, request: Request): boolean =>
  settings !== undefined && SAYING.has(callIn(settings, request, 'stream').type);

const SAYING: ReadonlySet<Call['type']> = new Set<Call['type']>(['call', 'file', 'batch']);

/** `facts`: those of any request. */
export function readModel(settings: ModelSettings, request: Request, facts: Facts, body: HttpBody): ReadModel {
  const call = callIn(settings, request, body.type);
  const { forbidden } = facts;
  if (call.type === 'plain' || call.type === 'unread') {
    const answers = call.answers && { answers: { operation: call.answers } };
    if (call.type === 'plain') return { type: 'none', ...answers };
    return { type: 'unread', facts: { ...unread(facts), ...(forbidden !== undefined && { forbidden }) }, ...answers };
  }
  if (body.type === 'stream') return { type: 'too-long' };
  try {
    if (call.type !== 'call')
      return body.type === 'whole' ? readKept(call.type, settings, request, body, forbidden) : { type: 'none' };
    const read = ModelCall.read(call.operation, body, call);
    const own = { ...read.facts(request), ...(forbidden !== undefined && { forbidden }) };
    return {
      type: 'call',
      call: read,
      facts: own,
      ...(isWritten(call.operation) && { answers: { operation: call.operation } }),
    };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { type: 'refused', answer: unreadable(error) };
  }
}

function readKept(
  type: 'file' | 'batch',
  settings: ModelSettings,
  request: Request,
  body: HttpBody & { readonly type: 'whole' },
  forbidden: string | undefined,
): ReadModel {
  const more = forbidden !== undefined && { forbidden };
  if (type === 'batch') {
    const batch = readBatch(body);
    return { type, batch, facts: { ...batchFacts(request, batch.file), ...more }, settings };
  }
  const upload = readUpload(body);
  const facts: Facts = { actions: [uploadAction(request, upload, 0)], confidence: 'parsed', statements: [], ...more };
  return { type, upload, facts, settings };
}

const unreadable = ({ message }: CallError): Deny => ({
  type: 'deny',
  rule: 'gateway',
  message: `This request to a model ${message}, so nobody here can say what it asks for.`,
});

const UNREAD = 'is a request of this provider that is not read here, so what it carries would leave unseen';

function unread(facts: Facts): Facts {
  const actions = facts.actions.map((action) => ({
    ...action,
    effects: ['egress', 'unknown'] as const,
    reasons: [...action.reasons, UNREAD],
  }));
  return { ...facts, actions, confidence: 'opaque' };
}

/** What masks would have to change is not there to be read. */
export const TOKENISED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'What is sent here is masked, and this request has numbers of tokens in place of its text.',
  hint: 'Send the text itself.',
};

/** What detectors find in a request, worked out once, when a rule asks. `call`: where it is one. @throws BodyUnread, BodyUnreadable */
export function findingsOf(call: ModelCall | undefined, body: HttpBody, query: string): () => readonly Detector[] {
  let found: readonly Detector[] | undefined;
  // What stands behind a name that makes a secret of it, and in the query, is no text of the call.
  return () => (found ??= [...new Set([...(call?.found ?? []), ...foundIn(body, query)])]);
}

/** What of it has texts: a call, or a document. Lines of a batch are judged one by one, which nobody does here. */
function callToSee(read: ReadModel | undefined): ModelCall | undefined {
  if (read?.type === 'file' && !read.upload.isBatch) return documentOf(read.upload);
  return read?.type === 'call' ? read.call : undefined;
}

/** A request that somebody has written down, as rules see it. */
export interface SeenRequest {
  readonly facts: Facts;
  readonly request: Request;
  readonly found: () => readonly Detector[];
  readonly model?: { readonly call: ModelCall; readonly settings: ModelSettings };
}

/** `settings`: of its connection, where that serves models. */
export function seenRequest(settings: ModelSettings | undefined, { request, body }: RequestRead): SeenRequest {
  const facts = request.facts();
  const read = settings && readModel(settings, request, facts, body);
  const call = callToSee(read);
  const found = findingsOf(call, body, request.query);
  if (read?.type === 'refused') return { facts: { ...facts, forbidden: read.answer.message }, request, found };
  const model = call && settings && { call, settings };
  return { facts: read && 'facts' in read ? read.facts : facts, request, found, ...(model && { model }) };
}
