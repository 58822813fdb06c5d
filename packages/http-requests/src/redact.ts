/**
 * What of a request and its answer is not written down. Owns: names of headers, query parameters and fields that hold secrets. Does
 * not: values under names that nobody would look for, which detectors are for.
 */
import { hash } from 'node:crypto';
import type { Header } from '@sluice/contract';

/** Whole names of headers, lower case. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'sluice-token',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-auth-token',
  'x-csrf-token',
  'x-xsrf-token',
  'x-amz-security-token',
  'x-vault-token',
  'private-token',
  'job-token',
  'authentication-info',
  'proxy-authentication-info',
]);

/** Of headers, query parameters and fields: words between signs, or at the ends of words in camel case. */
const SECRET_NAME =
  /(?:^|[^a-z])(?:access_?token|refresh_?token|id_?token|auth_?token|api_?key|apikey|client_?secret|client_?assertion|subject_?token|actor_?token|secret|secret_?key|passw(?:or)?d|passwd|pwd|passphrase|token|jwt|signature|sig|sas|session_?id|private_?key|credentials?)(?:[^a-z]|$)/i;

/** What has nothing of this is no such name, which is known at once. */
const MAY_BE_SECRET = /token|key|secret|pass|pwd|jwt|sig|sas|session|credential|assertion/i;

const split = (name: string): string => name.replaceAll('-', '_').replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2');

/** Whether a value under this name is left out of the record. */
export const isSecretName = (name: string): boolean =>
  MAY_BE_SECRET.test(name) && (SECRET_NAME.test(name.replaceAll('-', '_')) || SECRET_NAME.test(split(name)));

export const isSecretHeader = (name: string): boolean => SECRET_HEADERS.has(name.toLowerCase()) || isSecretName(name);

/** Stands for a secret: equal for equal ones, and nothing can be found out from it without the key. */
export type Mark = (secret: string) => string;

/** Bytes of a block of SHA-256. */
const BLOCK_BYTES = 64;

/** HMAC (RFC 2104) by two hashes: `createHmac` takes thirty times as long to begin, and a body may be full of secrets. */
export function markedWith(key: Uint8Array): Mark {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(key.length > BLOCK_BYTES ? hash('sha256', key, 'buffer') : key);
  const inner = block.map((byte) => byte ^ 0x36);
  const outer = block.map((byte) => byte ^ 0x5c);
  return (secret) => {
    const first = hash('sha256', Buffer.concat([inner, Buffer.from(secret)]), 'buffer');
    return `[secret ${hash('sha256', Buffer.concat([outer, first]), 'hex').slice(0, 8)}]`;
  };
}

export const redactHeaders = (headers: readonly Header[], mark: Mark): readonly Header[] =>
  headers.map(([name, value]): Header => [name, isSecretHeader(name) ? mark(value) : value]);

/** Values of secret names, as they were sent; all else as it is. */
export function redactQuery(query: string, mark: Mark): string {
  if (query === '') return query;
  return query
    .split('&')
    .map((part) => {
      const at = part.indexOf('=');
      if (at < 0) return part;
      return isSecretName(decoded(part.slice(0, at))) ? `${part.slice(0, at)}=${mark(part.slice(at + 1))}` : part;
    })
    .join('&');
}

/** Lines of a head as HTTP/1.1 writes it. */
export function redactHead(head: string, mark: Mark): string {
  return head
    .split('\r\n')
    .map((line, at) => {
      const colon = line.indexOf(':');
      const name = line.slice(0, Math.max(colon, 0));
      if ((at === 0 && line.startsWith('HTTP/')) || colon < 1) return line;
      const value = line.slice(colon + 1).trim();
      if (isSecretHeader(name)) return `${name}: ${mark(value)}`;
      return /^(?:location|content-location|link|refresh)$/i.test(name)
        ? `${name}: ${redactAddress(value, mark)}`
        : line;
    })
    .join('\r\n');
}

/** The query in an address, and in its fragment, where answers of OAuth put tokens. */
function redactAddress(value: string, mark: Mark): string {
  return value
    .split(/([?#])/)
    .map((part, at) => (at === 0 || part === '?' || part === '#' ? part : redactQuery(part, mark)))
    .join('');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
