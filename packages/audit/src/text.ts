/**
 * Texts of people who have proven nothing, on their way into the record and the log. Lives here: how long they may be, and
 * what of them is not kept. Does not: how often they are written (`failures.ts`).
 */
import { replaced } from '@sluice/printable';

/** What is kept of one name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;
/** More of it is not looked at: none of it would be kept. UTF-16 units. */
const MAX_READ_CHARACTERS = 2_048;

/** Secrets that people type into the wrong field: tokens of the gateway and of agents, and JSON Web Tokens, also in part. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/sluice_([a-z2-7]{10})_\w+/gi, 'sluice_$1_[hidden]'],
  [/agent_[\w-]{24,}/g, 'agent_[hidden]'],
  [/eyJ[\w-]{16,}(\.[\w-]*)*/g, '[token hidden]'],
];

/** A name as it may be written down: no secret that we know, nothing that cannot be seen, `MAX_NAME_BYTES` at most. */
export function nameOnRecord(name: string): string {
  let text = name.slice(0, MAX_READ_CHARACTERS);
  for (const [secret, mark] of SECRETS) text = text.replaceAll(secret, mark);
  return cut(replaced(text), name.length > MAX_READ_CHARACTERS);
}

function cut(text: string, more: boolean): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_NAME_BYTES && !more) return text;
  let end = Math.min(bytes.length, MAX_NAME_BYTES - Buffer.byteLength('…'));
  // Not in the middle of a character, whose second and later bytes are 10xxxxxx.
  while (end > 0 && end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return `${bytes.subarray(0, end).toString()}…`;
}
