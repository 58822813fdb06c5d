/**
 * A list of tools that the gateway asks a server for itself, for a call of one that was never listed. Owns: the question, and reading the
 * answer in either form. Does not: pin anything.
 */
import type { AskTarget, Header, HttpCommand, TargetAnswer } from '@sluice/contract';
import { type EventEditor, EventsMask, JsonParts, NO_BYTES } from '@sluice/http-bodies';
import { type Json, jsonOf } from '@sluice/http-requests';
import {
  CAPABILITIES_META,
  CLIENT_META,
  MessageError,
  type JsonObject,
  type Message,
  VERSION_META,
  readMessages,
  requestText,
  textIn,
  versionIn,
} from '@sluice/mcp';

/** Pages of one list. */
const MAX_PAGES = 50;
/** What belongs to one request of its client, and to none of the gateway's. */
const NOT_OURS = /^(?:mcp-(?:method|name|param-.*)|content-length|content-type|accept|last-event-id)$/i;
let asked = 0;

/** All tools, in the order of the server. Rejects with a phrase where it cannot be had. */
export async function listTools(
  command: HttpCommand,
  ask: AskTarget,
  call: Message | undefined,
  maxBytes: number,
): Promise<readonly Json[]> {
  const tools: Json[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const result = await onePage(command, ask, metaOf(call), cursor, maxBytes);
    const listed = result.members.get('tools');
    if (listed?.type !== 'array') throw new Error('its list of tools is none');
    tools.push(...listed.items);
    cursor = textIn(result.members, 'nextCursor');
    if (cursor === undefined || cursor === '') return tools;
  }
  throw new Error(`its list of tools has more than ${MAX_PAGES} pages`);
}

/** In the era without sessions `_meta` says by which revision it is. Nothing else of the call is in it, which nobody has judged or masked yet. */
function metaOf(message: Message | undefined): string | undefined {
  const version = message && versionIn(message);
  if (version === undefined) return undefined;
  return JSON.stringify({ [VERSION_META]: version, [CLIENT_META]: OWN_NAME, [CAPABILITIES_META]: {} });
}

const OWN_NAME = { name: 'sluice', version: '1' };

async function onePage(
  command: HttpCommand,
  ask: AskTarget,
  meta: string | undefined,
  cursor: string | undefined,
  maxBytes: number,
): Promise<JsonObject> {
  const id = { type: 'string', text: `sluice-list-${++asked}` } as const;
  const said = [
    ...(cursor === undefined ? [] : [`"cursor":${JSON.stringify(cursor)}`]),
    ...(meta === undefined ? [] : [`"_meta":${meta}`]),
  ];
  const answer = await ask({
    method: 'POST',
    path: command.path,
    query: command.query,
    headers: ownHeaders(command, 'tools/list'),
    body: requestText(id, 'tools/list', `{${said.join(',')}}`),
    maxBytes,
  });
  const message = messagesOf(answer).find(
    (one) => (one.type === 'result' || one.type === 'error') && one.id && jsonOf(one.id) === jsonOf(id),
  );
  if (message?.type === 'result') return message.result;
  throw new Error(
    message?.type === 'error'
      ? `it answers: ${message.message.slice(0, 200)}`
      : `it answers with status ${answer.status}`,
  );
}

/** As its client's, for a message of the gateway's own. */
export function ownHeaders({ headers }: Pick<HttpCommand, 'headers'>, method: string | undefined): readonly Header[] {
  const kept = headers.filter(([name]) => !NOT_OURS.test(name));
  const named: readonly Header[] =
    method !== undefined && headers.some(([name]) => name.toLowerCase() === 'mcp-method')
      ? [['Mcp-Method', method]]
      : [];
  return [...kept, ...named, ['Content-Type', 'application/json'], ['Accept', 'application/json, text/event-stream']];
}

/** Of a body of either kind. */
function messagesOf({ headers, body }: TargetAnswer): readonly Message[] {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  try {
    if (!/^text\/event-stream\b/i.test(type)) return readMessages(bytes.toString('utf8')).messages;
    const events = new Collector();
    const mask = new EventsMask(new JsonParts(undefined, undefined), events);
    mask.push(bytes);
    mask.end();
    return events.texts.flatMap((text) => readMessages(text).messages);
  } catch (error) {
    if (error instanceof MessageError)
      throw new Error(`it answers with something that ${error.message}`, { cause: error });
    throw error;
  }
}

class Collector implements EventEditor {
  readonly held = 0;
  readonly waits = undefined;
  readonly texts: string[] = [];

  event(_others: Buffer, _name: string, data: Buffer): Buffer {
    if (data.length > 0) this.texts.push(data.toString('utf8'));
    return NO_BYTES;
  }

  end(): Buffer {
    return NO_BYTES;
  }

  release(): Buffer {
    return NO_BYTES;
  }
}
