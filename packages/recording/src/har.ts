/**
 * Requests of a session as an HTTP Archive, version 1.2 (w3c.github.io/web-performance/specs/HAR/Overview.html), for browsers and other
 * tools. Owns: its shape. Does not: what was recorded; where not all of a body is, the entry says so, and where not all of the record is, the
 * comment of the whole.
 */
import { isUtf8 } from 'node:buffer';
import type { RecordedRequest } from './events.js';
import type { ReplayEntries, ReplayEntry, SessionSummary } from './replay.js';

type CommandEntry = Extract<ReplayEntry, { type: 'command' }>;
type ResponseEntry = Extract<ReplayEntry, { type: 'response' }>;

/** That its comment names: one says already that it is not whole. */
const MAX_GAPS = 100;

/** An exchange whose end has not been seen. */
interface OpenExchange {
  readonly command: CommandEntry;
  readonly sent: Buffer[];
  /** The last head that was no interim one, and when it came. */
  head: string;
  headAt: number;
  readonly body: Buffer[];
  readonly messages: object[];
}

/** What was said on a WebSocket, as a command of its own. */
interface JudgedMessage {
  readonly type: 'send';
  /** Seconds since 1970. */
  readonly time: number;
  readonly opcode: 1 | 2;
  data: string;
  /** The rule that refused it: the target never had it. */
  readonly _refused?: string;
}

/**
 * The text in pieces. One exchange at a time is in memory, and those that ran beside it.
 *
 * @param command only this one of the session's commands
 */
export async function* toHar(
  session: SessionSummary,
  entries: ReplayEntries,
  command?: number,
): AsyncGenerator<string> {
  yield '{"log":{"version":"1.2","creator":{"name":"Sluice","version":"1"},"entries":[\n';
  const open = new Map<number, OpenExchange>();
  const said = new Map<number, JudgedMessage>();
  const gaps: string[] = [];
  let before = '';
  const written = (text: string): string => {
    const piece = before + text;
    before = ',\n';
    return piece;
  };
  for await (const entry of entries) {
    if (entry.type === 'command') {
      const on = entry.request?.message && open.get(entry.request.message.origin);
      if (on) said.set(entry.id, begin(session, on, entry));
      if (!entry.request || entry.request.message || (command !== undefined && entry.id !== command)) continue;
      const exchange = { command: entry, sent: [], head: '', headAt: entry.at, body: [], messages: [] };
      if (entry.decision === 'deny') yield written(entryOf(session, exchange, undefined));
      else open.set(entry.id, exchange);
    } else if (entry.type === 'output') {
      const exchange = open.get(entry.command);
      const message = said.get(entry.command);
      if (exchange) add(session, exchange, entry);
      else if (message && entry.stream === 'request')
        message.data += entry.data.toString(message.opcode === 1 ? 'utf8' : 'base64');
    } else if (entry.type === 'gap') {
      if (gaps.push(entry.summary) > MAX_GAPS) gaps.pop();
    } else if (entry.type === 'response') {
      said.delete(entry.command);
      const exchange = open.get(entry.command);
      if (!exchange || !open.delete(entry.command)) continue;
      yield written(entryOf(session, exchange, entry));
    }
  }
  for (const exchange of open.values()) yield written(entryOf(session, exchange, undefined));
  yield `\n]${gaps.length > 0 ? `,"comment":${JSON.stringify(gaps.join(' '))}` : ''}}}\n`;
}

/** Its bytes follow. */
function begin(session: SessionSummary, exchange: OpenExchange, command: CommandEntry): JudgedMessage {
  const { at, decision, rule, request } = command;
  const opcode = request?.message?.kind === 'text' ? 1 : 2;
  const refused = decision === 'deny' && rule !== undefined ? { _refused: rule } : {};
  const message: JudgedMessage = { type: 'send', time: (session.started + at) / 1000, opcode, data: '', ...refused };
  exchange.messages.push(message);
  return message;
}

function add(session: SessionSummary, exchange: OpenExchange, entry: Extract<ReplayEntry, { type: 'output' }>): void {
  const { stream, data, at } = entry;
  if (stream === 'request') exchange.sent.push(data);
  else if (stream === 'head') {
    const head = data.toString('latin1');
    if (!/^HTTP\/[0-9.]+ (?:[2-9]|101)/.test(head)) return;
    exchange.head = head;
    exchange.headAt = at;
  } else if (exchange.head.startsWith('HTTP/1.1 101') || stream === 'in') {
    const type = stream === 'in' ? 'send' : 'receive';
    exchange.messages.push({ type, time: (session.started + at) / 1000, opcode: 2, data: data.toString('base64') });
  } else exchange.body.push(data);
}

function entryOf(session: SessionSummary, exchange: OpenExchange, response: ResponseEntry | undefined): string {
  const { command, head, headAt, messages } = exchange;
  const ended = Math.max(response?.at ?? headAt, command.at);
  const heard = Math.min(Math.max(headAt, command.at), ended);
  const { decision, rule, message, id } = command;
  const why = decision === 'deny' ? { comment: `refused by rule "${rule}": ${message}` } : {};
  return JSON.stringify({
    startedDateTime: new Date(session.started + command.at).toISOString(),
    time: ended - command.at,
    request: requestOf(command.request as RecordedRequest, Buffer.concat(exchange.sent)),
    response: responseOf(head, Buffer.concat(exchange.body), response),
    cache: {},
    timings: { send: 0, wait: heard - command.at, receive: ended - heard },
    ...why,
    ...(messages.length > 0 && { _webSocketMessages: messages }),
    _sluice: { session: session.id, command: id, principal: session.principal, decision, outcome: response?.outcome },
  });
}

function requestOf({ method, host, path, query, headers, body }: RecordedRequest, sent: Buffer): object {
  const queryString = [...new URLSearchParams(query)].map(([name, value]) => ({ name, value }));
  const { text, encoding } = textOf(sent);
  const size = body?.bytes ?? sent.length;
  const cut = size > sent.length ? { comment: `${size} bytes in all, SHA-256 ${body?.sha256 ?? 'unknown'}` } : {};
  return {
    method,
    url: `https://${host}${path}${query === '' ? '' : `?${query}`}`,
    httpVersion: 'HTTP/1.1',
    cookies: [],
    headers: headers.map(([name, value]) => ({ name, value })),
    queryString,
    ...(body && { postData: { mimeType: body.media, text, ...(encoding && { _encoding: encoding }), ...cut } }),
    headersSize: -1,
    bodySize: size,
  };
}

function responseOf(head: string, body: Buffer, response: ResponseEntry | undefined): object {
  const [first = '', ...lines] = head.split('\r\n');
  const [, version = 'HTTP/1.1', status = '0', statusText = ''] = /^(HTTP\/\S+) (\d{3}) ?(.*)$/.exec(first) ?? [];
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return colon < 1 ? [] : [{ name: line.slice(0, colon), value: line.slice(colon + 1).trim() }];
  });
  const valueOf = (name: string): string => headers.find((one) => one.name.toLowerCase() === name)?.value ?? '';
  const { text, encoding } = textOf(body);
  const size = response?.bytes ?? body.length;
  const cut = size > body.length ? { comment: `${size} bytes in all` } : {};
  return {
    status: Number(status),
    statusText,
    httpVersion: version,
    cookies: [],
    headers,
    content: { size, mimeType: valueOf('content-type'), text, ...(encoding && { encoding }), ...cut },
    redirectURL: valueOf('location'),
    headersSize: -1,
    bodySize: size,
  };
}

const textOf = (bytes: Buffer): { text: string; encoding?: 'base64' } =>
  isUtf8(bytes) ? { text: bytes.toString('utf8') } : { text: bytes.toString('base64'), encoding: 'base64' };
