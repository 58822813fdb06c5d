import { createHmac } from 'node:crypto';

/** A quoted literal in any of the forms that Postgres reads: '...', E'...', U&'...', $tag$...$tag$. */
const LITERAL = String.raw`(?:(?:E|U&|N)?'(?:[^'\\]|''|\\.)*'|\$(\w*)\$[\s\S]*?\$\1\$)`;
/** CREATE/ALTER ROLE ... PASSWORD '...', IDENTIFIED BY '...', OPTIONS (password '...'). */
const AFTER_KEYWORD = new RegExp(String.raw`\b(password|identified\s+by)(\s*=?\s*)${LITERAL}`, 'gi');
/** Connection strings inside a literal: password=..., postgres://user:...@host. */
const IN_CONNINFO = /\b(password\s*=\s*)("[^"]*"|\\?'[^']*'|[^\s'"&)]+)/gi;
const IN_URL = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@'"]+:)([^\s@'"]+)(@)/gi;
const MAYBE = /password|identified|:\/\//i;

/** Replaces passwords in a statement before it is recorded. The keyed hash tells whether two of them were the same. */
export function redactSecrets(text: string, key: Uint8Array): string {
  if (!MAYBE.test(text)) return text;
  const mark = (secret: string): string =>
    `[secret ${createHmac('sha256', key).update(secret).digest('hex').slice(0, 8)}]`;
  return text
    .replaceAll(
      AFTER_KEYWORD,
      (whole: string, word: string, gap: string) => `${word}${gap}${mark(whole.slice(word.length + gap.length))}`,
    )
    .replaceAll(IN_CONNINFO, (whole: string, name: string, secret: string) =>
      secret.startsWith('[secret') ? whole : name + mark(secret),
    )
    .replaceAll(IN_URL, (_, before: string, secret: string, after: string) => before + mark(secret) + after);
}
