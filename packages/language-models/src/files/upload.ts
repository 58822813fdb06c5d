/**
 * A file that the provider is asked to keep: https://platform.openai.com/docs/api-reference/files/create. Owns: what it is for, where in the
 * body it stands, and whether anybody here can read it. Does not: read the calls in one (lines.ts), or judge any.
 */
import { isUtf8 } from 'node:buffer';
import type { Action, Facts, HttpBody, HttpHead, Resource } from '@sluice/contract';
import { kindOf, looksLikeText } from '@sluice/http-bodies';
import { Body, type Json, JsonError, mediaType, readJson } from '@sluice/http-requests';
import { CallError, ModelCall } from '../call.js';
import { linesOf } from './lines.js';

export interface Upload {
  /** Each line of it is a call that is made later. */
  readonly isBatch: boolean;
  readonly filename: string;
  /** Of the file, as far as that is said; empty where only its bytes tell. */
  readonly media: string;
  readonly content: Buffer;
  /** Where it begins and ends in the body, in bytes. */
  readonly start: number;
  readonly end: number;
  /** What is said beside it. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

const BATCH = 'batch';
/** What is said beside the calls in a file. Servers that read more may have other models answer them (LiteLLM). */
const FIELDS: ReadonlySet<string> = new Set(['purpose', 'expires_after[anchor]', 'expires_after[seconds]']);

/** @throws CallError for what is no such request */
export function readUpload(body: HttpBody & { readonly type: 'whole' }): Upload {
  const { read } = new Body(body);
  if (read.type === 'unreadable') throw new CallError(`has a body that ${read.why}`);
  if (read.type !== 'multipart') throw new CallError('has a body that is no form with a file in it');
  const files = read.parts.filter(({ name, filename }) => filename !== undefined || isName(name, 'file'));
  const purposes = read.parts.filter(({ name }) => isName(name, 'purpose'));
  const [file] = files;
  const [purpose] = purposes;
  if (!file || files.length > 1) throw new CallError(file ? 'has several files' : 'has no file');
  if (file.name !== 'file') throw new CallError('has a file that is not called "file"');
  if (!purpose || purposes.length > 1)
    throw new CallError(`says ${purpose ? 'twice' : 'nowhere'} what its file is for`);
  if (purpose === file) throw new CallError('has a file that says what it is for');
  const { start, end, filename = '', media } = file;
  // Servers that take it in another case would have the calls made.
  const isBatch = fold(purpose.value) === BATCH;
  const other = read.parts.find((part) => part !== file && !FIELDS.has(part.name));
  if (isBatch && other) throw new CallError(`has a field that is not read here ("${other.name.slice(0, 40)}")`);
  return {
    isBatch,
    filename,
    media: kindOf(media) === 'other' ? '' : media,
    content: Buffer.from(body.bytes.buffer, body.bytes.byteOffset + start, end - start),
    start,
    end,
    fields: read.parts.filter((part) => part !== file),
  };
}

const fold = (text: string): string => text.trim().toLowerCase();
const isName = (name: string, wanted: string): boolean => fold(name).replace(/\[.*/, '') === wanted;

/** What rules see of a file that is no batch. Undefined: nobody here can read it. */
export function documentOf({ content, media }: Upload): ModelCall {
  const texts = isReadable(content) ? textsIn(content) : undefined;
  if (texts) return ModelCall.document({ texts, images: 0, files: 1 });
  const isImage = mediaType(media).startsWith('image/') || isPicture(content);
  return ModelCall.document(isImage ? { images: 1, files: 0 } : { images: 0, files: 1 });
}

/** As it is written, and what its JSON says, of one document or of lines. */
function textsIn(content: Buffer): readonly string[] {
  const text = content.toString('utf8').replace(/^\ufeff/, '');
  const whole = jsonIn(text);
  const values = whole ? [whole] : [...linesOf(content)].flatMap(({ bytes }) => jsonIn(bytes.toString('utf8')) ?? []);
  const said: string[] = [];
  for (const value of values) collect(value, said);
  return [text, ...said];
}

function jsonIn(text: string): Json | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return readJson(text);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function collect(value: Json, said: string[]): void {
  if (value.type === 'string') said.push(value.text);
  else if (value.type === 'array') for (const item of value.items) collect(item, said);
  else if (value.type === 'object') for (const one of value.members.values()) collect(one, said);
}

/** A file that is text from its beginning to its end. */
export const isReadable = (content: Buffer): boolean =>
  isUtf8(content) && looksLikeText(content) && !content.includes(0);

/** What PNG, JPEG, GIF and WebP begin with. */
const isPicture = (content: Buffer): boolean =>
  /^(?:\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP)/s.test(content.toString('latin1', 0, 12));

const UNREAD = 'has a file that is no text, so what it carries would leave unseen';

/** What is done beside the calls in it. */
export function uploadAction(
  { host, path }: Pick<HttpHead, 'host' | 'path'>,
  upload: Upload,
  statement: number,
): Action {
  const resources: readonly Resource[] = [
    { type: 'url', name: `${host}${path}`, access: 'write' },
    { type: 'file', name: upload.filename, access: 'write' },
  ];
  const isRead = upload.isBatch || isReadable(upload.content);
  return {
    statement,
    depth: 0,
    verb: 'upload',
    effects: isRead ? ['egress'] : ['egress', 'unknown'],
    resources,
    reasons: isRead ? [] : [UNREAD],
  };
}

/** Calls that are made later of a file that is kept. */
export const batchFacts = ({ host, path }: Pick<HttpHead, 'host' | 'path'>, file: string): Facts => ({
  actions: [
    {
      statement: 0,
      depth: 0,
      verb: 'batch',
      effects: ['egress'],
      resources: [
        { type: 'url', name: `${host}${path}`, access: 'execute' },
        { type: 'file', name: file, access: 'read' },
      ],
      reasons: [],
    },
  ],
  confidence: 'parsed',
  statements: [],
});
