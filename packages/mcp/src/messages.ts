/**
 * Messages of JSON-RPC 2.0 as MCP has them. Owns: a strict reader, and writing them. What two programs could read differently is none here: a
 * name that an object has twice or in another case, an id that is no whole number and no text. Does not: know what a method means.
 */
import { type Json, JsonError, foldedName, jsonOf, readJson } from '@sluice/http-requests';
import { INVALID_REQUEST, PARSE_ERROR } from './errors.js';

/** A text, or a whole number as it is written: `1` is not `"1"`. Two are the same if `jsonOf` writes them alike. */
export type Id = Json & { readonly type: 'string' | 'plain' };
export type JsonObject = Json & { readonly type: 'object' };

export interface RequestMessage {
  readonly type: 'request';
  readonly id: Id;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface NotificationMessage {
  readonly type: 'notification';
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface ResultMessage {
  readonly type: 'result';
  readonly id: Id;
  readonly result: JsonObject;
}

export interface ErrorMessage {
  readonly type: 'error';
  /** Undefined: whoever answers could not read the id of what was asked. */
  readonly id: Id | undefined;
  readonly code: number;
  readonly message: string;
  readonly data: Json | undefined;
}

/** `json`: all of it, with members that nobody here knows. */
export type Message = (RequestMessage | NotificationMessage | ResultMessage | ErrorMessage) & {
  readonly json: JsonObject;
};

/** What stands in a body: one message, or several in an array, which has another answer even if it is one. */
export interface Messages {
  readonly batch: boolean;
  readonly messages: readonly Message[];
}

/** Why a text is no message: a phrase of which the text is the subject. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  /** What JSON-RPC calls it. */
  readonly code: typeof PARSE_ERROR | typeof INVALID_REQUEST;
  /** Of the message that it is about, where it could be read. */
  readonly id: Id | undefined;

  constructor(message: string, code: MessageError['code'], id?: Id) {
    super(message);
    this.code = code;
    this.id = id;
  }

  /** Of what is no JSON that everybody reads alike. */
  static unread(why: string): MessageError {
    return new MessageError(why, PARSE_ERROR);
  }
}

/** Messages of one batch. */
const MAX_BATCH = 100;
/** Characters of a text that is an id, and of a method. */
const MAX_ID_CHARACTERS = 1024;
const MAX_METHOD_CHARACTERS = 256;
/** Members that say what a message is. One of these in another case is another member to one program and the same to the next. */
const MEMBERS = byFold(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);
/** The same of parameters, and of results: which tool, resource or task it is about, and what is asked for. */
const OF_PARAMS = byFold([
  'name',
  'arguments',
  'uri',
  'taskId',
  'ref',
  'cursor',
  'notifications',
  'inputRequests',
  'inputResponses',
  '_meta',
]);
const OF_RESULT = byFold([
  'resultType',
  'inputRequests',
  'task',
  'taskId',
  'tools',
  'prompts',
  'resources',
  'resourceTemplates',
  'tasks',
  'nextCursor',
]);

/**
 * Reads all messages of a text, which is bounded by whoever has it.
 *
 * @throws MessageError
 */
export const readMessages = (text: string): Messages => messagesIn(parsed(text));

/** The same of JSON that has been read. @throws MessageError */
export function messagesIn(json: Json): Messages {
  if (json.type !== 'array') return { batch: false, messages: [messageOf(json)] };
  if (json.items.length === 0) throw invalid('is an empty batch');
  if (json.items.length > MAX_BATCH) throw invalid(`is a batch of more than ${MAX_BATCH} messages`);
  return { batch: true, messages: json.items.map(messageOf) };
}

function parsed(text: string): Json {
  try {
    return readJson(text);
  } catch (error) {
    if (error instanceof JsonError) throw MessageError.unread(error.message);
    throw error;
  }
}

/** @throws MessageError */
function messageOf(json: Json): Message {
  if (json.type !== 'object') throw invalid('is no JSON-RPC message');
  const { members } = json;
  onlyAsWritten(members, MEMBERS);
  const written = members.get('id');
  const id = written && idOf(written);
  if (textIn(members, 'jsonrpc') !== '2.0') throw invalid('does not say that it is JSON-RPC 2.0', id);
  const known = ['method', 'result', 'error'].filter((name) => members.has(name));
  if (known.length !== 1) throw invalid('is neither one request, nor one answer', id);
  if (members.has('method')) return asked(json, id);
  if (members.has('params')) throw invalid('is an answer with parameters', id);
  return members.has('error') ? failed(json, id) : answered(json, id);
}

function byFold(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [foldedName(name), name]));
}

/** @throws MessageError for a name that is a known one but for its case */
function onlyAsWritten(members: ReadonlyMap<string, Json>, known: ReadonlyMap<string, string>, id?: Id): void {
  for (const name of members.keys()) {
    const meant = known.get(foldedName(name));
    if (meant !== undefined && meant !== name)
      throw invalid(`has a member "${name.slice(0, 20)}", which some take for "${meant}"`, id);
  }
}

function asked(json: JsonObject, id: Id | undefined): Message {
  const method = textIn(json.members, 'method');
  if (method === undefined || method === '' || method.length > MAX_METHOD_CHARACTERS)
    throw invalid('has no method that could be one', id);
  const params = json.members.get('params');
  if (params && params.type !== 'object') throw invalid('has parameters without names', id);
  if (params) onlyAsWritten(params.members, OF_PARAMS, id);
  if (!json.members.has('id')) return { type: 'notification', method, params, json };
  if (!id) throw invalid('has an id that is neither a text nor a whole number');
  return { type: 'request', id, method, params, json };
}

function answered(json: JsonObject, id: Id | undefined): Message {
  const result = json.members.get('result');
  if (!id) throw invalid('is an answer to nobody');
  if (result?.type !== 'object') throw invalid('has a result that is no object', id);
  onlyAsWritten(result.members, OF_RESULT, id);
  return { type: 'result', id, result, json };
}

function failed(json: JsonObject, id: Id | undefined): Message {
  const error = json.members.get('error');
  if (error?.type !== 'object') throw invalid('has an error that is no object', id);
  const code = error.members.get('code');
  const message = textIn(error.members, 'message');
  if (code?.type !== 'plain' || !INTEGER.test(code.text) || message === undefined)
    throw invalid('has an error without a code and a message', id);
  const written = json.members.get('id');
  // Who could not read the request answers to `null`, or to nothing.
  if (!id && written && jsonOf(written) !== 'null')
    throw invalid('has an id that is neither a text nor a whole number');
  return { type: 'error', id, code: Number(code.text), message, data: error.members.get('data'), json };
}

/** Whole numbers that no program rounds. */
const INTEGER = /^(?:0|-?[1-9][0-9]{0,14})$/;

/** Undefined for what cannot be one. */
function idOf(json: Json): Id | undefined {
  if (json.type === 'string') return json.text.length <= MAX_ID_CHARACTERS ? json : undefined;
  return json.type === 'plain' && INTEGER.test(json.text) ? json : undefined;
}

/** The text of a member; undefined: there is none, or it is no text. */
export function textIn(members: ReadonlyMap<string, Json>, name: string): string | undefined {
  const value = members.get(name);
  return value?.type === 'string' ? value.text : undefined;
}

/** The object of a member; undefined: there is none, or it is no object. */
export function objectIn(members: ReadonlyMap<string, Json>, name: string): JsonObject | undefined {
  const value = members.get(name);
  return value?.type === 'object' ? value : undefined;
}

const invalid = (message: string, id?: Id): MessageError => new MessageError(message, INVALID_REQUEST, id);

/** What an answer has in place of an id that could not be read. */
const writtenId = (id: Id | undefined): string => (id ? jsonOf(id) : 'null');

/** `params` and `result` are JSON already, as `JSON.stringify` or `jsonOf` writes it. */
export const requestText = (id: Id, method: string, params?: string): string =>
  `{"jsonrpc":"2.0","id":${jsonOf(id)},"method":${JSON.stringify(method)}${params === undefined ? '' : `,"params":${params}`}}`;

export const notificationText = (method: string, params?: string): string =>
  `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${params === undefined ? '' : `,"params":${params}`}}`;

export const resultText = (id: Id, result: string): string => `{"jsonrpc":"2.0","id":${jsonOf(id)},"result":${result}}`;

/** `data` is JSON already. */
export const errorText = (id: Id | undefined, code: number, message: string, data?: string): string =>
  `{"jsonrpc":"2.0","id":${writtenId(id)},"error":{"code":${code},"message":${JSON.stringify(message)}${data === undefined ? '' : `,"data":${data}`}}}`;
