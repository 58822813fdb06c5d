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
  const blobs = blobsIn(json);
  let isChanged = false;
  const members = new Map<string, Json>();
  const hidden: Blob[] = [];
  for (const [name, value] of json.members) {
    const blob = blobs.find(({ member }) => member === name);
    const made = blob ? replaced(blob, choose, maskText) : withoutBlobs(value, choose, maskText);
    if (made) isChanged = true;
    if (blob && made === 'hidden') hidden.push(blob);
    else members.set(name, made === 'hidden' ? value : (made ?? value));
  }
  if (hidden.length > 0) sayHidden(members, hidden);
  return isChanged ? { type: 'object', members } : undefined;
}

interface Blob {
  readonly member: 'data' | 'blob';
  readonly media: string;
  readonly text: string;
  readonly bytes: Buffer;
}

/** All of one object: a program may read either member, whatever the other one is. */
function blobsIn({ members }: JsonObject): readonly Blob[] {
  const type = textIn(members, 'type');
  const media = textIn(members, 'mimeType') ?? 'application/octet-stream';
  const names = type === 'image' || type === 'audio' ? (['data', 'blob'] as const) : (['blob'] as const);
  return names.flatMap((member) => {
    const text = textIn(members, member);
    return text === undefined ? [] : [{ member, media, text, bytes: Buffer.from(text, 'base64') }];
  });
}

/** Undefined: it passes as it is. */
function replaced(
  { media, text, bytes }: Blob,
  choose: BlobChoice,
  maskText: (text: string) => string,
): Json | 'hidden' | undefined {
  // What decodes to other bytes elsewhere is nothing that anybody has looked at.
  const isPlain = bytes.toString('base64').replaceAll('=', '') === text.replaceAll('=', '');
  const choice = isPlain ? choose(media, bytes) : 'hide';
  if (choice === 'pass') return undefined;
  if (choice !== 'text' || !isUtf8(bytes)) return 'hidden';
  return { type: 'string', text: Buffer.from(maskText(bytes.toString('utf8'))).toString('base64') };
}

function sayHidden(members: Map<string, Json>, hidden: readonly Blob[]): void {
  const lines = hidden.map(
    ({ bytes, media }) => `[masked: ${bytes.length} bytes of ${media.slice(0, 100)}, which no mask can read]`,
  );
  members.delete('mimeType');
  members.set('text', { type: 'string', text: lines.join(' ') });
  if (hidden.some(({ member }) => member === 'data')) members.set('type', { type: 'string', text: 'text' });
}
