/**
 * Texts of a target, in errors, notices and notifications. Owns which fields are texts, and what stands in place of hidden
 * ones. Does not own what is found in a text (the gate). Pure.
 */
import type { TextMask } from '@sluice/contract';
import { B, HEADER_BYTES, NOTHING } from '../messages.js';
import { type TextEncoding, UTF8 } from '../text-encoding.js';
import { template } from './templates.js';

/**
 * ErrorResponse and NoticeResponse (55.7, fields in 55.8): the message as the client may have it.
 *
 *     byte1  'E' or 'N'
 *     int32  length, itself included
 *     each:  byte1 field, NUL-terminated text; a zero byte ends the list
 *
 * The server writes values into its texts: the key of a duplicate, the row that fails a check, the text that is no number. If
 * a masked column is involved only SQLSTATE, severity, position, names and source stay, and a text made here says what that
 * SQLSTATE means, and of notices only those of definitions pass. What can only name what is defined, and what is no value, passes as it is.
 * If none is involved, the texts are searched. A message that cannot be read becomes one
 * that says so.
 */
export function filterMessage(message: Buffer, texts: TextMask, encoding: TextEncoding): Buffer {
  const fields = readFields(message, encoding);
  if (!fields) return write(message[0] ?? B.errorResponse, [...UNREADABLE], encoding);
  if (texts.hidden && !isOfText(fields) && !isOfNames(fields, texts)) {
    if (message[0] === B.noticeResponse && !isOfDefinition(fields)) return NOTHING;
    return write(message[0] as number, hidden(fields), encoding);
  }
  let changed = false;
  const searched = fields.map(([field, text]): ErrorField => {
    const clean = SAFE.includes(field) ? text : texts.clean(text);
    if (clean !== text) changed = true;
    return [field, clean];
  });
  return changed ? write(message[0] as number, searched, encoding) : message;
}

/** NotificationResponse: int32 process, channel, payload. The payload is searched; what cannot be read does not pass. */
export function filterNotification(message: Buffer, texts: TextMask, encoding: TextEncoding): Buffer {
  const channel = message.indexOf(0, HEADER_BYTES + 4);
  const end = channel < 0 ? -1 : message.indexOf(0, channel + 1);
  if (message[0] !== B.notificationResponse || end !== message.length - 1) return NOTHING;
  const payload = textOf(message.subarray(channel + 1, end), encoding);
  const clean = texts.clean(payload);
  if (clean === payload) return message;
  return sized(Buffer.concat([message.subarray(0, channel + 1), encoding.encode(`${clean}\0`)]));
}

type ErrorField = readonly [string, string];

/** Severity, SQLSTATE, positions, and where in the server's source it was raised. */
const SAFE = 'SVCPpFLR';
/** Names of schema, table, column, type and constraint, as the catalog has them. */
const NAMES = 'stcdn';
/**
 * Sources of the server that fill these fields from the catalog. RAISE puts what it likes into them, behind a trace of the code
 * that did: no function can do without one.
 */
const NAMING =
  /^(?:domains|execExprInterp|execIndexing|execMain|execUtils|heap|index|nbtinsert|partbounds|ri_triggers|tablecmds|tuplesort(?:variants)?|typecmds)\.c$/;

const UNREADABLE: readonly ErrorField[] = [
  ['S', 'ERROR'],
  ['V', 'ERROR'],
  ['C', 'XX000'],
  ['M', 'The server sent a message that cannot be read.'],
];

/**
 * A mistake that the server found in the text of the statement, before it ran: class 42 with a position in that text, and no
 * trace of code that made another text. Its words are those of the statement and of the catalog. A cast to regclass fails
 * with this class too, while it runs, and has no position.
 */
function isOfText(fields: readonly ErrorField[]): boolean {
  const of = new Map(fields);
  return of.get('C')?.startsWith('42') === true && of.has('P') && !of.has('W') && !of.has('p') && !of.has('q');
}

/** What the server says by itself, and not by a trace of code, of what is defined. A trace of the text of a function alone is none. */
function isOfNames(fields: readonly ErrorField[], texts: TextMask): boolean {
  const of = new Map(fields);
  const trace = of.get('W');
  const isOfBody = trace !== undefined && BODY.test(trace);
  if (!isOfBody && (trace !== undefined || of.has('p') || of.has('q'))) return false;
  return texts.isOfNames?.(isOfBody ? '' : (of.get('F') ?? ''), of.get('C') ?? '') === true;
}

/** Of a body that is looked through as it is defined. What runs has a line more for each caller, and says which of its statements it is at. */
const BODY = /^(?:compilation of PL\/pgSQL function "[^"\n]*" near line \d+|SQL function "[^"\n]*")$/;

/**
 * A notice about a definition, about the session, or of RAISE. Functions that compute values have some as well (a query of text search
 * without words, a relative namespace of XML): one for each row of which it is true, so that it would tell of each value what somebody asks.
 */
const isOfDefinition = (fields: readonly ErrorField[]): boolean =>
  DEFINING.test(fields.find(([field]) => field === 'F')?.[1] ?? '');

const DEFINING =
  /^(?:\w*cmds|aclchk|analyze|cluster|copyfrom\w*|dependency|event_trigger|extension|guc\w*|heap|index|namespace|parse_\w+|pg_\w+|pl_exec|postgres|repack|scansup|sequence|trigger|user|utility|vacuum\w*|view|xact)\.c$/;

function hidden(fields: readonly ErrorField[]): ErrorField[] {
  const of = new Map(fields);
  const named = !of.has('W') || NAMING.test(of.get('F') ?? '');
  const kept = fields.filter(([field]) => SAFE.includes(field) || (named && NAMES.includes(field)));
  const at = kept.findLastIndex(([field]) => 'SVC'.includes(field)) + 1;
  return [
    ...kept.slice(0, at),
    ['M', template(new Map(kept))],
    ['H', 'The text of the server is not shown, because a masked column is involved.'],
    ...kept.slice(at),
  ];
}

function readFields(message: Buffer, encoding: TextEncoding): ErrorField[] | undefined {
  if (message.length < HEADER_BYTES + 1 || message.readInt32BE(1) !== message.length - 1) return undefined;
  const fields: ErrorField[] = [];
  let at = HEADER_BYTES;
  while (at < message.length && message[at] !== 0) {
    const end = message.indexOf(0, at + 1);
    if (end < 0) return undefined;
    fields.push([String.fromCharCode(message[at] as number), textOf(message.subarray(at + 1, end), encoding)]);
    at = end + 1;
  }
  return at === message.length - 1 ? fields : undefined;
}

/** A server may say something that is no UTF-8, which is no reason to end the session. */
const textOf = (bytes: Buffer, encoding: TextEncoding): string =>
  encoding === UTF8 ? bytes.toString('utf8') : encoding.decode(bytes);

function write(tag: number, fields: readonly ErrorField[], encoding: TextEncoding): Buffer {
  const body = fields.map(([field, text]) => `${field}${text}\0`).join('');
  return sized(Buffer.concat([Buffer.from([tag, 0, 0, 0, 0]), encoding.encode(`${body}\0`)]));
}

function sized(message: Buffer): Buffer {
  message.writeInt32BE(message.length - 1, 1);
  return message;
}
