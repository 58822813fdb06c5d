/**
 * What kind of body it is. Owns: kinds by media type, and what the first bytes say against it. Does not: read bodies.
 */
import { mediaType } from '@sluice/http-requests';

export type Kind = 'json' | 'events' | 'table' | 'form' | 'multipart' | 'markup' | 'xml' | 'text' | 'unsaid' | 'other';

const KINDS: Readonly<Record<string, Kind>> = {
  '': 'unsaid',
  'application/json': 'json',
  'text/json': 'json',
  'application/x-json': 'json',
  'application/jsonl': 'json',
  'application/ndjson': 'json',
  'application/x-ndjson': 'json',
  'application/json-seq': 'json',
  'text/event-stream': 'events',
  'text/csv': 'table',
  'application/csv': 'table',
  'text/tab-separated-values': 'table',
  'application/x-www-form-urlencoded': 'form',
  'text/html': 'markup',
  'application/xhtml+xml': 'markup',
  'text/xml': 'xml',
  'application/xml': 'xml',
  'application/javascript': 'text',
  'application/x-javascript': 'text',
  'application/yaml': 'text',
  'application/x-yaml': 'text',
  'application/toml': 'text',
  'application/sql': 'text',
  'application/graphql': 'text',
  'application/x-sh': 'text',
};

/** Of a value of Content-Type. */
export function kindOf(contentType: string): Kind {
  const type = mediaType(contentType);
  const known = KINDS[type];
  if (known) return known;
  if (type.endsWith('+json')) return 'json';
  if (type.endsWith('+xml')) return 'xml';
  if (type.startsWith('multipart/')) return type === 'multipart/byteranges' ? 'other' : 'multipart';
  return type.startsWith('text/') ? 'text' : 'other';
}

/** Those of which detectors know the letters that matter: supersets of ASCII, a byte for each of those. */
const CHARSETS: ReadonlySet<string> = new Set(
  'utf-8 utf8 us-ascii ascii iso-8859-1 iso-8859-15 latin1 windows-1252'.split(' '),
);

/** Undefined: it is read. */
export function unreadCharset(contentType: string): string | undefined {
  for (const [, charset = ''] of contentType.matchAll(/;\s*charset\s*=\s*["']?([^\s"';]*)/gi))
    if (charset !== '' && !CHARSETS.has(charset.toLowerCase())) return charset.slice(0, 40);
  return undefined;
}

/** Two or four bytes for each letter: by a byte order mark, or by zeros among the first letters. */
export function isWide(first: Buffer): boolean {
  if (first.length < 2) return false;
  const mark = first.readUInt16BE(0);
  return (
    mark === 0xfeff ||
    mark === 0xfffe ||
    (first[0] === 0 && first[1] !== 0 && first[2] === 0) ||
    (first[1] === 0 && first[0] !== 0 && first[3] === 0)
  );
}

/** What becomes of media that masks cannot read, by type or `image/*`. */
export type Unread = ReadonlyMap<string, 'pass' | 'text'>;

/** What masks can read is read: `image/*` lets no SVG pass, whose texts they know, unless it is named. */
export function choiceFor(unread: Unread, contentType: string): 'pass' | 'text' | undefined {
  const type = mediaType(contentType);
  const named = unread.get(type);
  return named ?? (kindOf(type) === 'other' ? unread.get(`${type.split('/', 1)[0]}/*`) : undefined);
}
