/**
 * Calls that stand in the lines of a file: https://platform.openai.com/docs/guides/batch. Owns: where a line begins, and what each asks for.
 * Does not: judge any.
 */
import { isUtf8 } from 'node:buffer';
import { type Json, JsonError, readJson } from '@sluice/http-requests';
import { CallError, ModelCall } from '../call.js';
import { type Provider, callOf } from '../provider.js';
import { type ObjectNode, isObject, member, memberText } from '../answers/tree.js';

/** No provider takes more in one file. */
const MAX_LINES = 50_000;
const LF = 0x0a;

export interface Line {
  /** From 1 on, as editors count, with those that are empty. */
  readonly number: number;
  /** Without its end. */
  readonly bytes: Buffer;
  readonly start: number;
}

/** Those that are not empty. */
export function* linesOf(content: Buffer): Generator<Line> {
  let number = 0;
  for (let start = 0; start < content.length; ) {
    const next = content.indexOf(LF, start);
    const end = next < 0 ? content.length : next;
    number++;
    const bytes = content.subarray(start, end);
    if (bytes.toString('latin1').trim() !== '') yield { number, bytes, start };
    start = end + 1;
  }
}

/** A line that asks a model for something. */
export interface AskingLine {
  readonly call: ModelCall;
  /** The path that it asks for. */
  readonly path: string;
  readonly line: ObjectNode;
  readonly body: ObjectNode;
}

/** Members of a line: servers that read more of one would do what nobody has seen. */
const MEMBERS: ReadonlySet<string> = new Set(['custom_id', 'method', 'url', 'body']);
/** Without a query, and without what servers would clean out of it. */
const PATH = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,20}$/;
const MAX_PATH_CHARACTERS = 200;

/** @throws CallError with a phrase of which the line is the subject */
export function readLine({ number, bytes }: Line, provider: Provider): AskingLine {
  if (number > MAX_LINES) throw new CallError(`is one of more than ${MAX_LINES.toLocaleString('en')}`);
  const line = readBytes(bytes);
  const other = [...line.members.keys()].find((name) => !MEMBERS.has(name));
  if (other !== undefined) throw new CallError(`has a member that is not known here ("${other.slice(0, 40)}")`);
  const path = memberText(line, 'url') ?? '';
  const body = member(line, 'body');
  if (memberText(line, 'method') !== 'POST') throw new CallError('does not say that its method is POST');
  if (path.length > MAX_PATH_CHARACTERS || !PATH.test(path)) throw new CallError('has no "url" that is a path alone');
  if (!isObject(body)) throw new CallError('has no "body" that is an object');
  const asked = callOf(provider, 'POST', path.split('/'), 'whole');
  if (asked.type !== 'call') throw new CallError(`asks for ${path}, which is no call of a model`);
  // Of a batch servers go by the body alone.
  if (asked.model !== undefined) throw new CallError(`asks for ${path}, which names a model beside that of its "body"`);
  const call = ModelCall.of(asked.operation, body, asked);
  if (call.stream) throw new CallError('asks for a stream, which has no place in a file');
  return { call, path, line, body };
}

function readBytes(bytes: Buffer): ObjectNode {
  if (!isUtf8(bytes)) throw new CallError('is no UTF-8 text');
  try {
    const read: Json = readJson(bytes.toString('utf8'));
    if (!isObject(read)) throw new CallError('is no object of JSON');
    return read;
  } catch (error) {
    if (error instanceof JsonError) throw new CallError(error.message);
    throw error;
  }
}

/** What some programs take for the end of a line, where JSON has it within one: written so that all take it for what it is. */
export const plainLine = (text: string): string =>
  text
    .replace(/\r(?!$)/g, ' ')
    .replaceAll(/[\u0085\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
