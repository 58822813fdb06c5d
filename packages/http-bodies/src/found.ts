/**
 * What detectors find in a body that somebody asks about. Owns: looking behind percent signs, base64 and JSON that is written as a text.
 * Does not: change anything.
 */
import { isUtf8 } from 'node:buffer';
import { type Detector, DETECTORS, type HttpBody } from '@sluice/contract';
import { Body, BodyUnreadable, type Json, readQuery } from '@sluice/http-requests';
import { type Entity, detect, isText } from '@sluice/masking';
import { decodings, unescaped } from './decodings.js';
import { saidByMarkup } from './entities.js';
import { assigned } from './look.js';

/** Texts within texts within texts, as for masks. */
const MAX_NESTED = 3;

/** In texts that each stand for themselves. */
export function foundInTexts(texts: readonly string[]): readonly Detector[] {
  const found = new Set<Entity>();
  for (const text of texts) lookInto(Buffer.from(text), 0, found);
  return named(found);
}

/**
 * In the body and the query of a request.
 *
 * @throws BodyUnread, BodyUnreadable where nobody can read it
 */
export function foundIn(body: HttpBody, query: string): readonly Detector[] {
  const found = new Set<Entity>();
  for (const [name, value] of readQuery(query) ?? []) lookAt(name, value, 0, found);
  const { read } = new Body(body);
  if (read.type === 'json') lookAtJson(read.value, '', 0, found);
  else if (read.type === 'form') for (const [name, value] of read.pairs) lookAt(name, value, 0, found);
  else if (read.type === 'multipart') for (const { name, value } of read.parts) lookAt(name, value, 0, found);
  else if (read.type === 'unreadable') {
    const text = body.type === 'whole' ? Buffer.from(body.bytes) : Buffer.alloc(0);
    if (!isUtf8(text) || !isText(text)) throw unreadable(read.why);
    lookInto(text, 0, found);
    lookBehind(text, found);
  }
  return named(found);
}

const unreadable = (why: string): BodyUnreadable =>
  new BodyUnreadable(`The rules look for secrets in the body of this request, which ${why}.`);

/** What is written with references of HTML, or with escapes of JSON in events, lines and what is no JSON as a whole: read at once, in linear time. */
function lookBehind(text: Buffer, found: Set<Entity>): void {
  if (text.includes('&')) collect(saidByMarkup(text).bytes, found);
  const said = unescaped(text);
  if (said) collect(said, found);
}

const named = (found: ReadonlySet<Entity>): readonly Detector[] =>
  DETECTORS.filter((detector) => found.has(detector.toUpperCase() as Entity));

/** A value behind its name: `password` makes a secret of it. */
function lookAt(name: string, value: string, depth: number, found: Set<Entity>): void {
  const before = assigned(name);
  if (before) collect(Buffer.concat([before, Buffer.from(`${value.replaceAll(/["\\\n]/g, '.')}"`)]), found);
  lookInto(Buffer.from(value), depth, found);
}

function lookInto(text: Buffer, depth: number, found: Set<Entity>): void {
  collect(text, found);
  if (depth >= MAX_NESTED) return;
  const inner = jsonOf(text);
  if (inner) return lookAtJson(inner, '', depth + 1, found);
  for (const decoded of decodings(text, depth === 0))
    if (isUtf8(decoded) && isText(decoded)) lookInto(decoded, depth + 1, found);
}

function lookAtJson(value: Json, name: string, depth: number, found: Set<Entity>): void {
  switch (value.type) {
    case 'object':
      for (const [member, inner] of value.members) {
        collect(Buffer.from(member), found);
        lookAtJson(inner, member, depth, found);
      }
      return;
    case 'array':
      for (const item of value.items) lookAtJson(item, name, depth, found);
      return;
    case 'plain':
      return collect(Buffer.from(value.text), found);
    default:
      lookAt(name, value.text, depth, found);
  }
}

function collect(text: Buffer, found: Set<Entity>): void {
  for (const { entity } of detect(text)) found.add(entity);
}

function jsonOf(text: Buffer): Json | undefined {
  const first = text.subarray(0, 64).toString('latin1').trimStart()[0];
  if (first !== '{' && first !== '[') return undefined;
  const { read } = new Body({ type: 'whole', media: 'application/json', bytes: text });
  return read.type === 'json' ? read.value : undefined;
}
