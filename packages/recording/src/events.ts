/** The kinds of record, and what each says. Owns: their headers as JSON. Does not: bytes on disk (format.ts). */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type {
  Command,
  HiddenCounts,
  Parameter,
  ResponseEnd,
  ResponseEvent,
  ResponsePart,
  StreamPart,
} from '@sluice/contract';

/** The kinds of record, by their `k`, and what each says. Times are milliseconds since 1970. */
export type RecordHeader =
  | {
      readonly k: 'gateway';
      readonly t: number;
      readonly event: 'started' | 'stopped' | 'config';
      readonly version: string;
      readonly detail?: string;
    }
  | {
      readonly k: 'opened';
      readonly t: number;
      readonly s: string;
      readonly principal: string;
      readonly connection: string;
      readonly protocol: string;
      readonly client: string;
      /** As an identity provider knows the principal. */
      readonly issuer?: string;
      readonly subject?: string;
      /** Of their claims those that the configuration has kept (`issuers.NAME.record`). */
      readonly claims?: Readonly<Record<string, readonly string[]>>;
      /** The id of the token that it was opened with, and who made that: its maker, their maker, and so on. */
      readonly token?: string;
      readonly makers?: readonly string[];
    }
  | {
      readonly k: 'closed';
      readonly t: number;
      readonly s: string;
      readonly reason: string;
      readonly commands: number;
      readonly denied: number;
    }
  | {
      readonly k: 'login';
      readonly t: number;
      readonly s: string;
      readonly user: string;
      readonly connection: string;
      readonly client: string;
      readonly refused: string;
    }
  | CommandHeader
  | {
      readonly k: 'part';
      readonly t: number;
      readonly s: string;
      readonly id: number;
      /** Of what a program wrote: where to, or what else happened on its screen. Absent for messages of a protocol. */
      readonly st?: NonNullable<ResponsePart['stream']>;
    }
  | {
      readonly k: 'end';
      readonly t: number;
      readonly s: string;
      readonly id: number;
      readonly outcome: string;
      readonly summary: string;
      readonly rows: number;
      readonly bytes: number;
      /** Columns that were NULL because nothing better is known of them, how many by reason. */
      readonly hidden?: HiddenCounts;
      /** Bodies of which not all is on record: how long they were, and their SHA-256. */
      readonly bodies?: ResponseEnd['bodies'];
      readonly parts?: PartLengths;
    }
  /** What became of a command whose decision was 'hold': each word that was said about it, and the end of it. */
  | {
      readonly k: 'approval';
      readonly t: number;
      readonly s: string;
      readonly id: number;
      readonly request: number;
      readonly event:
        | 'requested'
        | 'escalated'
        | 'approve'
        | 'deny'
        | 'revoked'
        | 'approved'
        | 'denied'
        | 'withdrawn'
        | 'expired'
        | 'used'
        /** Whoever asked let it pass; that is what became of it; somebody else has looked at that. */
        | 'break-glass'
        | 'passed'
        | 'reviewed';
      /** Who said so, and the token that they showed; absent where nobody did. */
      readonly actor?: string;
      readonly reason?: string;
      readonly token?: string;
      readonly makers?: readonly string[];
      /** The security key that they showed for it. */
      readonly key?: string;
    }
  | {
      readonly k: 'admin';
      readonly t: number;
      readonly actor: string;
      /** What they showed, where it was a token. */
      readonly token?: string;
      readonly makers?: readonly string[];
      readonly action: string;
      readonly detail: string;
    }
  /** Somebody read what is on record about the session `of` of somebody else. */
  | {
      readonly k: 'read';
      readonly t: number;
      readonly actor: string;
      /** The id of the token that they showed. */
      readonly token: string;
      readonly as: 'timeline' | 'export' | 'watch';
      readonly of: string;
    }
  | {
      readonly k: 'journal.recovered';
      readonly t: number;
      readonly segment: string;
      /** Bytes taken off its end and kept in `<segment>.cut`, and their SHA-256 in hex. */
      readonly cut: number;
      readonly sha256: string;
      /** Whole records were among them: no write that was cut short. */
      readonly damaged: boolean;
    }
  /** A start found records at the end that no head had signed: they were written just before the process ended. */
  | {
      readonly k: 'journal.adopted';
      readonly t: number;
      readonly segment: string;
      readonly records: number;
      /** When the last head was signed, ISO 8601. */
      readonly since: string;
      /** False: that head says that nothing followed, or that the segment was not there. */
      readonly expected: boolean;
    }
  /** What a head had signed is not there: the journal was cut, or an older copy was put in its place. */
  | {
      readonly k: 'journal.missing';
      readonly t: number;
      readonly what: string;
      /** When that was signed, ISO 8601. */
      readonly signed?: string;
    }
  /** A segment was removed because its time was over. The signed line of the checkpoint says the same, and stays for ever. */
  | {
      readonly k: 'journal.removed';
      readonly t: number;
      readonly segment: string;
      readonly records: number;
      readonly bytes: number;
      /** Hashes of its first and its last record, hex. */
      readonly first: string;
      readonly last: string;
    }
  /** The clock of the machine was set back, from `before`. */
  | { readonly k: 'journal.clock'; readonly t: number; readonly before: number }
  | {
      readonly k: 'journal.resumed';
      readonly t: number;
      /** When the failure began, and how many records it cost; what they stood for did not happen. */
      readonly since: number;
      readonly lost: number;
      readonly after: string;
    };

/** What a payload begins with: parts that are no records of their own, in order, each with its length in bytes. */
export type PartLengths = readonly (readonly [stream: StreamPart['stream'], bytes: number])[];

export interface CommandHeader {
  readonly k: 'command';
  readonly t: number;
  readonly s: string;
  readonly id: number;
  readonly phase: 'prepare' | 'run' | 'custom';
  /** What kind of command it is, where it is not SQL, and the account on the target that it is for. */
  readonly type?: 'exec' | 'shell' | 'subsystem' | 'forward' | 'request' | 'tool' | 'answer';
  readonly parts?: PartLengths;
  readonly account?: string;
  /** Of a call that a language model proposed, and of an answer: the command that was answered. */
  readonly origin?: number;
  readonly text: string;
  /** Of a request by HTTP: all of it but its body, whose bytes are parts (`request`), of this record or of their own. */
  readonly request?: RecordedRequest;
  readonly parameters?: readonly RecordedParameter[];
  /** `record.parameters: none`: how many there were. */
  readonly bound?: number;
  readonly confidence: string;
  readonly actions: readonly unknown[];
  readonly matched: readonly unknown[];
  readonly decision: 'allow' | 'deny' | 'hold';
  readonly rule?: string;
  readonly message?: string;
}

/** A request by HTTP, without secrets. */
export interface RecordedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `unread`: it passed as it came, and its length may be unknown. */
  readonly body?: { readonly media: string; readonly bytes?: number; readonly sha256?: string; readonly unread?: true };
  readonly upgrade?: string;
  /** It was said on the WebSocket that the command `origin` opened. */
  readonly message?: { readonly kind: 'text' | 'binary'; readonly origin: number };
}

/** A header as it was written. Undefined when it is damaged. */
export function parseHeader(text: Buffer): RecordHeader | undefined {
  try {
    const header: RecordHeader = JSON.parse(text.toString());
    return header;
  } catch {
    return undefined;
  }
}

export type RecordedParameter =
  | null
  | string
  | { readonly hex: string }
  /** Too long to keep: its size, its hash, and how it starts, in hex. */
  | { readonly bytes: number; readonly sha256: string; readonly start: string }
  /** `record.parameters: masked`. */
  | { readonly type: number; readonly bytes: number };

export type ParameterMode = 'full' | 'masked' | 'none';

/** A bound value longer than this is recorded by its hash. Bytes. */
const MAX_RECORDED_VALUE_BYTES = 64 * 1024;
const RECORDED_START_BYTES = 64;

/**
 * The header of a command's record. `judged` is the part that is the same for every use of a text, already serialised:
 * `"text":...,"actions":...,"decision":...`. `session` is an id of the gateway's own, which needs no escaping. Built by
 * concatenation: this runs for every statement.
 *
 * @param parts what the record's payload is made of
 */
export function commandHeader(
  session: string,
  command: Command,
  judged: string,
  mode: ParameterMode,
  now: number,
  parts?: readonly StreamPart[],
): string {
  const phase = command.type === 'sql' ? command.phase : command.type === 'custom' ? 'custom' : 'run';
  const values = command.type === 'sql' ? command.parameters : undefined;
  return `{"k":"command","t":${now},"s":"${session}","id":${count(command.id)},"phase":"${phase}",${kindOf(command)}${parts ? `${lengthsOf(parts)},` : ''}${values ? bound(values, mode) : ''}${judged}}`;
}

/** Of what is no SQL: its type, and what such a command has besides. */
function kindOf(command: Command): string {
  if (command.type === 'request') return '"type":"request",';
  if (command.type === 'tool' || command.type === 'answer')
    return `"type":"${command.type}","origin":${count(command.origin)},`;
  if (command.type === 'custom' || !('account' in command)) return '';
  return `"type":"${command.type}","account":${JSON.stringify(command.account)},`;
}

/** The header for what the client was given. The bytes themselves are the record's payload. */
export function responseHeader(session: string, event: ResponseEvent, now: number): string {
  if (event.type === 'part') {
    const stream = event.stream === undefined ? '' : `,"st":${quoted(event.stream)}`;
    return `{"k":"part","t":${now},"s":"${session}","id":${count(event.command)}${stream}}`;
  }
  const hidden = event.hidden === undefined ? '' : `,"hidden":${JSON.stringify(event.hidden)}`;
  const bodies = event.bodies === undefined ? '' : `,"bodies":${JSON.stringify(event.bodies)}`;
  const parts = event.parts === undefined ? '' : `,${lengthsOf(event.parts)}`;
  return `{"k":"end","t":${now},"s":"${session}","id":${count(event.command)}${parts},"outcome":${quoted(event.outcome)},"summary":${quoted(event.summary)},"rows":${count(event.rows)},"bytes":${count(event.bytes)}${hidden}${bodies}}`;
}

function lengthsOf(parts: readonly StreamPart[]): string {
  let lengths = '';
  for (const { stream, data } of parts)
    lengths += `${lengths === '' ? '' : ','}[${quoted(stream)},${count(data.length)}]`;
  return `"parts":[${lengths}]`;
}

/**
 * The parts that a payload begins with, and what is behind them. What a header of another version says that is none of this is passed over: then
 * nothing of its payload is a part.
 */
export function partsOf(
  lengths: PartLengths | undefined,
  payload: Buffer,
): { readonly parts: readonly StreamPart[]; readonly rest: Buffer } {
  if (!Array.isArray(lengths) || !lengths.every(isLength)) return { parts: [], rest: payload };
  let at = 0;
  const parts = (lengths as PartLengths).map(([stream, bytes]) => ({
    stream,
    data: payload.subarray(at, (at += bytes)),
  }));
  return { parts, rest: payload.subarray(at) };
}

const isLength = (one: unknown): boolean =>
  Array.isArray(one) && typeof one[0] === 'string' && Number.isSafeInteger(one[1]) && one[1] >= 0;

/** Events come from protocols that others wrote, too: whatever they say, a record can be read. */
const count = (number: unknown): number => (Number.isSafeInteger(number) ? Number(number) : 0);
const quoted = (text: unknown): string => {
  if (typeof text !== 'string') return '""';
  return text.length <= MAX_PLAIN && isPlain(text) ? `"${text}"` : JSON.stringify(text);
};
/** UTF-16 units. */
const MAX_PLAIN = 64;

/** Needs no escaping, as nearly all outcomes and summaries. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isPlainByte(text.charCodeAt(at))) return false;
  return true;
}
const isPlainByte = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && byte !== 0x22 && byte !== 0x5c;

function bound(values: readonly Parameter[], mode: ParameterMode): string {
  if (values.length === 0) return '';
  if (mode === 'none') return `"bound":${values.length},`;
  let list = '';
  for (const value of values) {
    const text = (mode === 'full' && plainText(value)) || JSON.stringify(recorded(value, mode));
    list = list === '' ? text : `${list},${text}`;
  }
  return `"parameters":[${list}],`;
}

/** A value of the kind that nearly all are of: a short text in which nothing has to be escaped, in quotes. Undefined: any other. */
function plainText({ value, format }: Parameter): string | undefined {
  if (value === null || format !== 'text' || value.length > MAX_PLAIN_BYTES) return undefined;
  let text = '"';
  for (let at = 0; at < value.length; at++) {
    const byte = value[at] as number;
    if (!isPlainByte(byte)) return undefined;
    text += String.fromCharCode(byte);
  }
  return `${text}"`;
}

/** Bytes. */
const MAX_PLAIN_BYTES = 32;

function recorded({ value, format, type }: Parameter, mode: ParameterMode): RecordedParameter {
  if (value === null) return null;
  if (mode === 'masked') return { type, bytes: value.length };
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length > MAX_RECORDED_VALUE_BYTES) {
    return {
      bytes: bytes.length,
      sha256: hash('sha256', bytes, 'hex'),
      start: bytes.toString('hex', 0, RECORDED_START_BYTES),
    };
  }
  // A record is exact: text that is none is kept as the bytes that it was.
  return format === 'binary' || !isUtf8(bytes) ? { hex: bytes.toString('hex') } : bytes.toString('utf8');
}
