/**
 * What the gateway itself wants opened before a call passes, in the era without sessions. Owns: the name that it asks by, and that no server is sent
 * the answer. Does not: ask (protocols/http).
 */
import { type Json, jsonOf, readJson } from '@sluice/http-requests';
import { objectIn } from './messages.js';

/** Among `inputRequests` and `inputResponses`. */
export const OWN_INPUT = 'sluice_approval';
/** Methods that may be answered by `input_required`. */
export const TAKES_INPUT: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

const MARK = Buffer.from(`"${OWN_INPUT}"`);

/** The body of a request without the answer to the gateway's own question; undefined: it has none, or is no message. */
export function withoutOwnInput(body: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.includes(MARK)) return undefined;
  let json: Json;
  try {
    json = readJson(bytes.toString('utf8'));
  } catch {
    // Whoever reads it next says what is wrong with it.
    return undefined;
  }
  const params = json.type === 'object' ? objectIn(json.members, 'params') : undefined;
  const responses = params && objectIn(params.members, 'inputResponses');
  if (json.type !== 'object' || !params || !responses?.members.has(OWN_INPUT)) return undefined;
  const others = new Map([...responses.members].filter(([name]) => name !== OWN_INPUT));
  const kept = new Map(params.members);
  // In its own place: another order is another text.
  if (others.size > 0) kept.set('inputResponses', { type: 'object', members: others });
  else kept.delete('inputResponses');
  return Buffer.from(
    jsonOf({ type: 'object', members: new Map(json.members).set('params', { type: 'object', members: kept }) }),
  );
}
