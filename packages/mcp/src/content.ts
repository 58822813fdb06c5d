/**
 * What in messages no mask can read: pictures, sounds and files, which are bytes in base64. Owns: finding them, and what stands in their
 * place. Does not: decide which of them pass.
 */
import { isUtf8 } from 'node:buffer';
import type { Json } from '@sluice/http-requests';
import { type JsonObject, textIn } from './messages.js';

/** Whether bytes of a media type pass as they are, are read as text, or do not pass. */
export type BlobChoice = (media: string, bytes: Buffer) => 'pass' | 'text' | 'hide';

/** A message with the bytes in it that do not pass replaced by a line that says so; undefined: it stays. `maskText` masks what is a text. */
export function withoutBlobs(json: Json, choose: BlobChoice, maskText: (text: string) => string): Json | undefined {
  if (json.type === 'array') {
    const made = json.items.map((one) => withoutBlobs(one, choose, maskText));
    if (made.every((one) => one === undefined)) return undefined;
    return { type: 'array', items: made.map((one, at) => one ?? (json.items[at] as Json)) };
  }
  if (json.type !== 'object') return undefined;
  const own = blobIn(json);
  if (own) return replaced(json, own, choose, maskText);
  let isChanged = false;
  const members = new Map<string, Json>();
  for (const [name, value] of json.members) {
    const made = withoutBlobs(value, choose, maskText);
    if (made) isChanged = true;
    members.set(name, made ?? value);
  }
  return isChanged ? { type: 'object', members } : undefined;
}

interface Blob {
  readonly member: 'data' | 'blob';
  readonly media: string;
  readonly text: string;
}

function blobIn({ members }: JsonObject): Blob | undefined {
  const type = textIn(members, 'type');
  const media = textIn(members, 'mimeType') ?? 'application/octet-stream';
  const data = textIn(members, 'data');
  if ((type === 'image' || type === 'audio') && data !== undefined) return { member: 'data', media, text: data };
  const blob = textIn(members, 'blob');
  return blob === undefined ? undefined : { member: 'blob', media, text: blob };
}

function replaced(
  json: JsonObject,
  { member, media, text }: Blob,
  choose: BlobChoice,
  maskText: (text: string) => string,
): Json | undefined {
  const bytes = Buffer.from(text, 'base64');
  // What decodes to other bytes elsewhere is nothing that anybody has looked at.
  const isPlain = bytes.toString('base64').replaceAll('=', '') === text.replaceAll('=', '');
  const choice = isPlain ? choose(media, bytes) : 'hide';
  if (choice === 'pass') return undefined;
  const members = new Map(json.members);
  if (choice === 'text' && isUtf8(bytes)) {
    const made = maskText(bytes.toString('utf8'));
    members.set(member, { type: 'string', text: Buffer.from(made).toString('base64') });
    return { type: 'object', members };
  }
  const line: Json = {
    type: 'string',
    text: `[masked: ${bytes.length} bytes of ${media.slice(0, 100)}, which no mask can read]`,
  };
  members.delete(member);
  members.delete('mimeType');
  members.set('text', line);
  if (member === 'data') members.set('type', { type: 'string', text: 'text' });
  return { type: 'object', members };
}
