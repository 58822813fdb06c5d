import { lent } from '@sluice/testkit';
import { MessageRoom, StatementRoom } from '@sluice/wire';
import type {
  Answer,
  Facts,
  MaskedSession,
  Waiter,
  ResponseEvent,
  SqlCommand,
  StatementEffect,
} from '@sluice/contract';
import type { FoundFunction } from '../src/function-call.js';
import { PostgresConversation } from '../src/conversation.js';
import { B, F, message, readErrorFields } from '../src/messages.js';
import { type TextEncoding, UTF8 } from '../src/text-encoding.js';

/** A little language for conversations: what arrives, and what each side then has got. */

export const query = (text: string): Buffer => message(F.query, text);
export const parse = (name: string, text: string): Buffer => message(F.parse, name, text, Buffer.alloc(2));
export const bind = (portal: string, statement: string, ...values: (string | null)[]): Buffer => {
  const cells = values.flatMap((value) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(value === null ? -1 : Buffer.byteLength(value));
    return value === null ? [size] : [size, Buffer.from(value)];
  });
  return message(F.bind, portal, statement, int16(0), int16(values.length), ...cells, int16(0));
};
export const describe = (kind: 'S' | 'P', name: string): Buffer => message(F.describe, Buffer.from(kind), name);
export const execute = (portal: string, rows = 0): Buffer => message(F.execute, portal, rows);
export const close = (kind: 'S' | 'P', name: string): Buffer => message(F.close, Buffer.from(kind), name);
export const sync = message(F.sync);
export const flush = message(F.flush);
export const copyData = (text: string): Buffer => message(F.copyData, Buffer.from(text));
export const copyDone = message(F.copyDone);
/** One text run at once: unnamed statement, unnamed portal. */
export const batch = (text: string): Buffer => Buffer.concat([parse('', text), bind('', ''), execute('')]);

export const reply = {
  parsed: message(B.parseComplete),
  bound: message(B.bindComplete),
  closed: message(B.closeComplete),
  noData: message(B.noData),
  suspended: message(B.portalSuspended),
  copyIn: message(B.copyInResponse, Buffer.from([0]), int16(1), int16(0)),
  copyOut: message(B.copyOutResponse, Buffer.from([0]), int16(1), int16(0)),
  copyData: (text: string) => message(B.copyData, Buffer.from(text)),
  copyDone: message(B.copyDone),
  columns: (...names: string[]) =>
    message(B.rowDescription, int16(names.length), ...names.flatMap((name) => [name, Buffer.alloc(18)])),
  row: (...cells: (string | null)[]) =>
    message(
      B.dataRow,
      int16(cells.length),
      ...cells.flatMap((cell) => (cell === null ? [-1] : [Buffer.byteLength(cell), Buffer.from(cell)])),
    ),
  complete: (tag: string) => message(B.commandComplete, tag),
  empty: message(B.emptyQueryResponse),
  ready: (status: 'I' | 'T' | 'E') => message(B.readyForQuery, Buffer.from(status)),
  error: (code: string, severity = 'ERROR') =>
    message(B.errorResponse, Buffer.from(`S${severity}\0V${severity}\0C${code}\0Mgenuine\0\0`)),
  status: (name: string, value: string) => message(B.parameterStatus, name, value),
  notice: message(B.noticeResponse, Buffer.from('SNOTICE\0C00000\0Mhello\0\0')),
};

export interface Talk {
  client(...messages: Buffer[]): void;
  replies(...messages: Buffer[]): void;
  answer(answer: Answer): void;
  hangUp(side: 'client' | 'upstream'): void;
  /** What went to the target since the last look, by name; stand-ins are marked. */
  upstream(): string[];
  /** What went to the client since the last look. */
  toClient(): string[];
  readonly sent: { client: Buffer[]; upstream: Buffer[] };
  readonly asked: SqlCommand[];
  /** The values of each command that had some, as text. */
  readonly bound: (string | null)[][];
  readonly recorded: ResponseEvent[];
  readonly finished: boolean;
  readonly conversation: PostgresConversation;
}

export interface TalkOptions {
  readonly judge?: (command: SqlCommand, waiter: Waiter) => Answer | undefined;
  readonly functionOf?: (oid: number) => Promise<FoundFunction>;
  readonly cancel?: () => Promise<void>;
  readonly encoding?: TextEncoding;
  readonly message?: number;
  readonly recorded?: number;
  readonly masks?: MaskedSession;
  readonly room?: StatementRoom;
  readonly sent?: MessageRoom;
  /** When the client has taken all that was sent; at once where nothing is said. */
  readonly flushed?: () => Promise<void>;
}

/** Masks of a session of which nothing has to be known before its commands, and whose texts pass as they are. */
export const maskedSession = (): MaskedSession => ({
  ready: () => undefined,
  texts: { hidden: false, clean: (text) => text },
  failed: () => undefined,
  knows: () => false,
  taken: () => undefined,
  namesNow: () => ({}),
  isOutdated: () => false,
  hidesSetting: () => false,
  pooled: false,
  opened: () => ({ text: '', answered: () => ({}) }),
  needsLook: false,
  needsLookAfterChange: false,
  look: () => ({ text: '', answered: () => ({}) }),
});

export function talk(options: TalkOptions = {}): Talk {
  const judge = options.judge ?? sensible;
  const sent: Talk['sent'] = { client: [], upstream: [] };
  const seen = { client: 0, upstream: 0 };
  const asked: SqlCommand[] = [];
  const bound: (string | null)[][] = [];
  const recorded: ResponseEvent[] = [];
  let finished = false;
  const conversation = new PostgresConversation({
    wires: {
      send: (to, bytes) => void sent[to].push(Buffer.from(bytes)),
      flushed: options.flushed ?? (() => Promise.resolve()),
      finish: () => {
        finished = true;
      },
      wake: () => undefined,
    },
    port: {
      ask: (command, waiter) => {
        asked.push(command);
        if (command.parameters)
          bound.push(command.parameters.map(({ value }) => value && Buffer.from(value).toString()));
        return judge(command, waiter);
      },
      functionOf: options.functionOf ?? (() => Promise.resolve('missing')),
      cancel: options.cancel ?? (() => Promise.resolve()),
      record: (event) => void recorded.push({ ...event, data: event.data.map((bytes) => Buffer.from(bytes)) }),
    },
    encoding: options.encoding ?? UTF8,
    kept: UTF8,
    major: 18,
    limits: { message: options.message ?? 1024 * 1024, recordedAnswer: options.recorded ?? 64 * 1024 },
    unusedName: 'nowhere',
    commands: 0,
    masks: options.masks,
    room: options.room ?? new StatementRoom('dev'),
    sent: options.sent ?? new MessageRoom('dev', 64 * 1024 * 1024),
  });
  const look = (side: 'client' | 'upstream'): string[] => {
    const bytes = Buffer.concat(sent[side]).subarray(seen[side]);
    seen[side] += bytes.length;
    return names(bytes, side);
  };
  return {
    client: (...messages) => lent(Buffer.concat(messages), (chunk) => conversation.receive('client', chunk)),
    replies: (...messages) => lent(Buffer.concat(messages), (chunk) => conversation.receive('upstream', chunk)),
    answer: (answer) => conversation.answered(answer),
    hangUp: (side) => conversation.ended(side),
    upstream: () => look('upstream'),
    toClient: () => look('client'),
    sent,
    asked,
    bound,
    recorded,
    get finished() {
      return finished;
    },
    conversation,
  };
}

export const allow = (...statements: StatementEffect[]): Answer => ({
  type: 'allow',
  facts: { actions: [], confidence: 'exact', statements } satisfies Facts,
});
export const deny: Answer = { type: 'deny', rule: 'no-destruction', message: 'Ask for approval to drop a table.' };

/** Refuses DROP and knows the few statements that change a session. Stands in for the analysis, which has its own tests. */
export function sensible({ text, prepared }: SqlCommand): Answer {
  if (/\bdrop\b/i.test(text)) return deny;
  const words = text.split(/[\s(]+/);
  if (/^execute /i.test(text)) return prepared?.(words[1] as string) === undefined ? deny : allow({ type: 'none' });
  if (/^prepare /i.test(text)) return allow({ type: 'prepare', name: words[1] as string, text });
  if (/^deallocate all/i.test(text)) return allow({ type: 'deallocate' });
  if (/^deallocate /i.test(text)) return allow({ type: 'deallocate', name: words[1] as string });
  if (/(^|; )copy .* from stdin/i.test(text)) return allow({ type: 'copy', direction: 'in' });
  if (/^declare /i.test(text)) return allow({ type: 'declare', name: words[1] as string });
  return allow({ type: 'none' });
}

const NAMES: Record<'client' | 'upstream', Readonly<Record<string, string>>> = {
  upstream: {
    Q: 'Query',
    P: 'Parse',
    B: 'Bind',
    D: 'Describe',
    E: 'Execute',
    C: 'Close',
    S: 'Sync',
    H: 'Flush',
    X: 'Terminate',
    d: 'CopyData',
    c: 'CopyDone',
    f: 'CopyFail',
    F: 'FunctionCall',
  },
  client: {},
};

function names(bytes: Buffer, side: 'client' | 'upstream'): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = String.fromCharCode(bytes[at] as number);
    const end = at + 1 + bytes.readInt32BE(at + 1);
    const body = bytes.subarray(at + 5, end);
    found.push((NAMES[side][tag] ?? tag) + detail(side, tag, body));
    at = end;
  }
  return found;
}

function detail(side: 'client' | 'upstream', tag: string, body: Buffer): string {
  if (side === 'upstream') return body.includes('Sluice refused') || body.includes('nowhere') ? ' (stands in)' : '';
  if (tag === 'E') return ` ${readErrorFields(body).get('C')}`;
  if (tag === 'Z') return ` ${body.toString()}`;
  return '';
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
