/** The texts of a call, changed wherever they stand. Owns: which those are. Does not: know what they become. */
import { type Json, readJson, textOf } from '@sluice/http-requests';

/** What these have are words of the API, which a text may have as well. */
const WORDS: ReadonlySet<string> = new Set(['model', 'role', 'type']);

/** The body of a call with its texts as `made` has them; undefined: they stay. `body` has been read as a call. */
export function withTexts(body: Buffer, made: (text: string) => string): Buffer | undefined {
  const read = readJson(body.toString('utf8').replace(/^\ufeff/, ''));
  const changed = changedBy(read, made);
  return changed === read ? undefined : Buffer.from(textOf(changed));
}

/** The same where nothing changes. */
function changedBy(value: Json, made: (text: string) => string): Json {
  if (value.type === 'string') {
    const text = made(value.text);
    return text === value.text ? value : { type: 'string', text };
  }
  if (value.type === 'array') {
    const items = value.items.map((item) => changedBy(item, made));
    return items.some((item, at) => item !== value.items[at]) ? { type: 'array', items } : value;
  }
  if (value.type !== 'object') return value;
  let members: Map<string, Json> | undefined;
  for (const [name, one] of value.members) {
    const changed = one.type === 'string' && WORDS.has(name) ? one : changedBy(one, made);
    if (changed !== one) (members ??= new Map(value.members)).set(name, changed);
  }
  return members ? { type: 'object', members } : value;
}
