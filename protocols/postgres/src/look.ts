/**
 * A look at the session: a statement of the gate's own on the client's connection to the target. Lives here: its messages,
 * and which replies belong to it. Does not: when it is sent (`client-half.ts`), and what it asks (the gate).
 */
import { hash } from 'node:crypto';
import type { LookQuestion, Looked } from '@sluice/contract';
import { Inbox, Reader, unexpected } from '@sluice/wire';
import { readParse, readQuery } from './client-messages.js';
import { B, F, NOTHING, message } from './messages.js';
import type { TextEncoding } from './text-encoding.js';
import { type Upstream, UpstreamError, greetingMessages } from './upstream.js';

/** What the target owes for a look, up to its ReadyForQuery. */
export interface OwedLook {
  readonly type: 'look';
  readonly command?: undefined;
  readonly look: LookQuestion;
  value?: string;
  failed?: true;
}

/**
 * By the extended protocol and under a name of its own: a simple query, or the unnamed statement and portal, would take the
 * place of the client's. What an earlier look has left is closed first.
 *
 * @param unusedName a secret of the session, which the name is made from
 */
export function lookMessages(text: string, unusedName: string): Buffer {
  // Not that name itself: the target lists the names of statements.
  const name = `look ${hash('sha256', unusedName).slice(0, 24)}`;
  return Buffer.concat([
    message(F.close, STATEMENT, name),
    message(F.parse, name, text, Buffer.alloc(2)),
    message(F.bind, name, name, Buffer.alloc(6)),
    message(F.execute, name, 0),
    message(F.close, PORTAL, name),
    message(F.close, STATEMENT, name),
    message(F.sync),
  ]);
}

/** Whether a message is SET TRANSACTION, which fails behind any query of its transaction, and depends on no name. */
export function comesFirst(tag: number, bytes: Buffer, encoding: TextEncoding): boolean {
  if ((tag !== F.query && tag !== F.parse) || bytes.length > MAX_SET_BYTES) return false;
  return SET_TRANSACTION.test(tag === F.query ? readQuery(bytes, encoding) : readParse(bytes, encoding).text);
}

const MAX_SET_BYTES = 1_000;
const SET_TRANSACTION = /^\s*set\s+(?:local\s+)?transaction[\s_][^;]*;?\s*$/i;

/** Takes a reply but ReadyForQuery. False: it has no place in the answer to a look. */
export function takeReply(owed: OwedLook, tag: number, body: Reader): boolean {
  if (tag === B.dataRow && body.int16() === 1) owed.value = body.bytes(body.int32()).toString('utf8');
  return REPLIES.has(tag);
}

/** The target answers with an error, which is none of the client's business. */
export function lookFailed(owed: OwedLook): Buffer {
  owed.failed = true;
  return NOTHING;
}

/** The target is ready again. */
export const endLook = ({ look, value, failed }: OwedLook): Looked => look.answered(failed ? undefined : value);

/**
 * Asks while nobody else speaks with the target. What it says besides becomes part of its greeting.
 *
 * @param waiter milliseconds until the target is given up
 * @throws WireError where it does not answer
 */
export async function lookFirst({ stream, greeting }: Upstream, look: LookQuestion, waiter: number): Promise<Looked> {
  const inbox = new Inbox(stream);
  const next = greetingMessages(inbox);
  const owed: OwedLook = { type: 'look', look };
  const timer = setTimeout(() => stream.destroy(new UpstreamError('08001', SILENT)), waiter);
  try {
    stream.write(lookMessages(look.text, 'first'));
    for (;;) {
      const { tag, body, whole } = await next();
      if (tag === B.readyForQuery) return endLook(owed);
      if (tag === B.errorResponse) owed.failed = true;
      else if (tag === B.parameterStatus || tag === B.noticeResponse) greeting.push(whole);
      else if (!takeReply(owed, tag, new Reader(body)))
        throw unexpected('the target said something unknown after the login');
    }
  } finally {
    clearTimeout(timer);
    inbox.release();
  }
}

const SILENT = 'the target accepted the login and then did not answer in time; a pooler may have no server for it';

const STATEMENT = Buffer.from('S');
const PORTAL = Buffer.from('P');
const REPLIES: ReadonlySet<number> = new Set([
  B.parseComplete,
  B.bindComplete,
  B.closeComplete,
  B.commandComplete,
  B.dataRow,
]);
