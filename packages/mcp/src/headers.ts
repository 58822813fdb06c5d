/**
 * Headers in which a request of MCP repeats what its body says. Owns: that they agree. The body decides, and a disagreement is refused:
 * whatever lies between might go by the one or by the other. Does not: know revisions, or require a header.
 */
import type { Header } from '@sluice/contract';
import { type Json, jsonOf } from '@sluice/http-requests';
import { versionIn } from './eras.js';
import { type Messages, textIn, objectIn } from './messages.js';
import { CALL, INITIALIZE, nameMember } from './methods.js';

const METHOD = 'mcp-method';
const NAME = 'mcp-name';
const VERSION = 'mcp-protocol-version';
const PARAMETER = 'mcp-param-';

/** Where the tool of a call is known: what of its arguments stands in which header. */
export type Parameters = ReadonlyMap<string, readonly string[]>;

/** Why the headers of a request do not agree with its body: a phrase of which they are the subject; undefined: they do. */
export function disagreement(
  headers: readonly Header[],
  { batch, messages }: Messages,
  of: Parameters,
): string | undefined {
  const said = new Map<string, string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower !== METHOD && lower !== NAME && lower !== VERSION && !lower.startsWith(PARAMETER)) continue;
    if (said.has(lower)) return `have ${name} twice`;
    said.set(lower, value);
  }
  if (said.size === 0) return undefined;
  const [message] = messages;
  const own = [...said.keys()].find((name) => name !== VERSION);
  if (batch || !message) return own === undefined ? undefined : `name one message, and the body has several`;
  const version = versionIn(message);
  const isAsked = message.type === 'request' || message.type === 'notification';
  const sentVersion = said.get(VERSION);
  if (version !== undefined && sentVersion !== undefined && sentVersion !== version)
    return `say version "${shown(sentVersion)}", and the body says "${shown(version)}"`;
  if (!isAsked) return own === undefined ? undefined : 'name a method, and the body is an answer';
  const method = said.get(METHOD);
  if (method !== undefined && method !== message.method)
    return `say method "${shown(method)}", and the body says "${shown(message.method)}"`;
  const fault = nameFault(said.get(NAME), message.method, message.params?.members);
  return fault ?? parameterFault(said, message.method === CALL ? message.params?.members : undefined, of);
}

function nameFault(
  sent: string | undefined,
  method: string,
  params: ReadonlyMap<string, Json> | undefined,
): string | undefined {
  if (sent === undefined) return undefined;
  const member = nameMember(method);
  const inBody = member === undefined ? undefined : params && textIn(params, member);
  const decoded = decodedHeader(sent);
  if (decoded !== undefined && decoded === inBody) return undefined;
  return `say name "${shown(decoded ?? sent)}", and the body says ${inBody === undefined ? 'none' : `"${shown(inBody)}"`}`;
}

function parameterFault(
  said: ReadonlyMap<string, string>,
  params: ReadonlyMap<string, Json> | undefined,
  of: Parameters,
): string | undefined {
  const args = params && objectIn(params, 'arguments');
  for (const [header, value] of said) {
    if (!header.startsWith(PARAMETER)) continue;
    const path = of.get(header.slice(PARAMETER.length));
    if (!path) return `have "${shown(header)}", which is no parameter of this call`;
    const inBody = path.reduce<Json | undefined>(
      (at, step) => (at?.type === 'object' ? at.members.get(step) : undefined),
      args,
    );
    const decoded = decodedHeader(value);
    if (decoded === undefined || !inBody || !isSame(inBody, decoded))
      return `say "${shown(decoded ?? value)}" in ${header}, and the body says ${inBody ? `"${shown(textLike(inBody))}"` : 'nothing'}`;
  }
  return undefined;
}

const textLike = (json: Json): string => (json.type === 'string' ? json.text : jsonOf(json));

/** Numbers are the same however they are written. */
const isSame = (inBody: Json, sent: string): boolean =>
  textLike(inBody) === sent ||
  (inBody.type === 'plain' && NUMBER.test(inBody.text) && NUMBER.test(sent) && Number(inBody.text) === Number(sent));

const NUMBER = /^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$/;
const ENCODED = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;

/** What a header says: letters beyond ASCII come in base64. Undefined: it is neither. */
export function decodedHeader(value: string): string | undefined {
  const [, base64] = ENCODED.exec(value) ?? [];
  if (base64 === undefined) return value.startsWith('=?base64?') ? undefined : value;
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

const shown = (text: string): string => text.slice(0, 80);

/** Each value that a header has. */
export const valuesOf = (headers: readonly Header[], wanted: string): readonly string[] =>
  headers.flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []));

export const SESSION_HEADER = 'mcp-session-id';
/** What a client says before it has a session. */
export const beginsSession = (messages: Messages): boolean =>
  messages.messages.some((one) => one.type === 'request' && one.method === INITIALIZE);
