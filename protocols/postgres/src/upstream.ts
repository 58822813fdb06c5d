/**
 * The gateway's own login at a target. Owns the dial, TLS, the credential and the target's greeting. Does not own what is
 * said afterwards.
 */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { ANNOTATIONS, type Gate, type Target } from '@sluice/contract';
import { Inbox, Reader, WireError, unexpected } from '@sluice/wire';
import { serialize } from 'pg-protocol';
import {
  AuthenticationMD5Password,
  type BackendMessage,
  DatabaseError,
  ParameterStatusMessage,
} from 'pg-protocol/dist/messages.js';
import { B, startupPacket } from './messages.js';
import { ScramClient } from './scram.js';
import { CANCEL_REQUEST, VERSION_3_0 } from './startup.js';
import { type TextEncoding, UTF8 } from './text-encoding.js';
import { type TargetMessage, parsed, readMessage } from './target-messages.js';

/** What of the gate is needed to get to a target. */
export type Reach = Pick<Gate, 'dial' | 'secure' | 'limits'>;

/** A target that is logged in and has said ReadyForQuery. */
export interface Upstream {
  readonly stream: Duplex;
  /** What it said after AuthenticationOk, without BackendKeyData and ReadyForQuery: the client gets it as it came. */
  readonly greeting: Buffer[];
  readonly process: number;
  readonly secret: Buffer;
  readonly parameters: ReadonlyMap<string, string>;
  readonly major: number;
}

/** The target could not be opened. The words go to the client, so they hold no secret. */
export class UpstreamError extends WireError {
  readonly sqlstate: string;

  constructor(sqlstate: string, text: string) {
    super('WIRE_UNEXPECTED', text);
    this.sqlstate = sqlstate;
  }
}

/** A greeting message longer than this is not one. */
const MAX_GREETING_MESSAGE_BYTES = 1024 * 1024;
/** All of them: a target must not be able to fill the memory before a client is there who takes them. */
const MAX_GREETING_BYTES = 8 * MAX_GREETING_MESSAGE_BYTES;
const SUPPORTED = { from: 15, to: 18 };

/**
 * Dials the target and logs in with the credential that only the gateway knows.
 *
 * @param settings run-time settings for the start-up packet, each already judged
 * @param encoding what it shall take and give texts in
 * @throws UpstreamError with words for the client
 */
export async function openUpstream(
  gate: Reach,
  target: Target,
  settings: ReadonlyMap<string, string>,
  encoding: TextEncoding = UTF8,
): Promise<Upstream> {
  const wire = await connect(gate, target);
  const inbox = new Inbox(wire.stream);
  const timer = setTimeout(
    () =>
      wire.stream.destroy(
        new UpstreamError('08001', 'the target accepted the connection and then did not finish the login in time'),
      ),
    gate.limits.upstreamLogin,
  );
  try {
    wire.stream.write(startupPacket(VERSION_3_0, ...parameters(target, settings, encoding).flat(), Buffer.alloc(1)));
    await authenticate(inbox, wire, target);
    return await greet(inbox, wire.stream);
  } catch (error) {
    wire.stream.destroy();
    throw asUpstreamError(error);
  } finally {
    clearTimeout(timer);
    inbox.release();
  }
}

/** A CancelRequest on a connection of its own (55.2.8). Resolves when the target has closed it, so it has been read. */
export async function cancelUpstream(
  gate: Reach,
  target: Target,
  upstream: { process: number; secret: Buffer },
): Promise<void> {
  const { stream } = await connect(gate, target);
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on('close', () => resolve());
  stream.on('error', () => resolve());
  stream.resume();
  stream.end(startupPacket(CANCEL_REQUEST, upstream.process, upstream.secret));
  const timer = setTimeout(() => stream.destroy(), gate.limits.upstreamLogin);
  await promise;
  clearTimeout(timer);
}

interface Wire {
  readonly stream: Duplex;
  readonly endpoint?: Uint8Array;
}

/** Dial, then SSLRequest where the connection asks for TLS. There is no silent way back to plaintext. */
async function connect(gate: Reach, target: Target): Promise<Wire> {
  let stream: Duplex;
  try {
    stream = await gate.dial();
  } catch (error) {
    throw new UpstreamError('08001', `the target of this connection cannot be reached: ${reason(error)}`);
  }
  if (target.tls === 'disable') return { stream };
  const inbox = new Inbox(stream);
  const timer = setTimeout(
    () => stream.destroy(new UpstreamError('08001', 'the target did not answer the request for TLS in time')),
    gate.limits.upstreamLogin,
  );
  try {
    stream.write(serialize.requestSsl());
    const [answer] = await inbox.read(1);
    if (answer !== 'S'.charCodeAt(0))
      throw new UpstreamError('08001', 'the target does not speak TLS, which this connection demands');
    if (inbox.buffered > 0)
      throw new UpstreamError('08001', 'the target sent bytes between its TLS answer and the handshake');
    inbox.release();
    return await gate.secure(stream, 'upstream');
  } catch (error) {
    stream.destroy();
    throw asUpstreamError(error);
  } finally {
    clearTimeout(timer);
    inbox.release();
  }
}

function parameters(target: Target, settings: ReadonlyMap<string, string>, encoding: TextEncoding): [string, string][] {
  const { annotations } = target;
  return [
    ['user', target.user],
    ['database', target.database ?? target.user],
    ...settings,
    // What RESET and DISCARD go back to.
    ...(annotations ? told(annotations, settings) : []),
    // What the parser assumes. Last, so that nothing before can win; ParameterStatus is watched for them as well.
    ['client_encoding', encoding.name],
    ['standard_conforming_strings', 'on'],
  ];
}

/** Who has the session, and by what program. @throws UpstreamError where a start-up packet has no room for it */
function told(
  annotations: NonNullable<Target['annotations']>,
  settings: ReadonlyMap<string, string>,
): [string, string][] {
  const entries = ANNOTATIONS.map((name): [string, string] => [name, annotations[name]]);
  if (entries.reduce((sum, [, value]) => sum + Buffer.byteLength(value), 0) > MAX_ANNOTATION_BYTES)
    throw new UpstreamError('08004', 'this principal has too many groups for the target to be told of all of them');
  const program = [...settings].findLast(([name]) => name.toLowerCase() === 'application_name')?.[1];
  const who = annotations['sluice.principal'];
  return [...entries, ['application_name', program === undefined ? who : `${who}: ${program}`]];
}

/** A start-up packet has 10,000 bytes at most (MAX_STARTUP_PACKET_LENGTH in pqcomm.h), for the settings of the client as well. */
const MAX_ANNOTATION_BYTES = 6_000;

async function authenticate(inbox: Inbox, wire: Wire, target: Target): Promise<void> {
  let scram: ScramClient | undefined;
  let scramDone = false;
  for (;;) {
    const request = await readMessage(inbox, MAX_GREETING_MESSAGE_BYTES);
    if (request.tag === B.noticeResponse || request.tag === B.negotiateProtocolVersion) continue;
    if (request.tag === B.errorResponse) throw loginError(request);
    if (request.tag !== B.authentication) throw unexpected('the target does not speak the Postgres protocol');
    const message = authentication(request);
    if (message.name === 'authenticationOk') {
      if (scram && !scramDone)
        throw unexpected('the target skipped its half of the SCRAM exchange: it may be an impostor');
      return;
    }
    const password = target.password;
    if (password === undefined)
      throw new UpstreamError('08001', 'the target asks for a password and this connection has none configured');
    if (message.name === 'authenticationCleartextPassword') {
      if (target.tls === 'disable')
        throw new UpstreamError('08001', 'the target asks for its password in the clear: set tls for this connection');
      wire.stream.write(serialize.password(password));
    } else if (message instanceof AuthenticationMD5Password) {
      wire.stream.write(serialize.password(md5Password(target.user, password, message.salt)));
    } else if (message.name === 'authenticationSASL') {
      scram = new ScramClient(message.mechanisms ?? [], wire.endpoint);
      wire.stream.write(serialize.sendSASLInitialResponseMessage(scram.mechanism, scram.first));
    } else if (message.name === 'authenticationSASLContinue' && scram) {
      const final = await scram.final(password, message.data ?? '');
      wire.stream.write(serialize.sendSCRAMClientFinalMessage(final));
    } else if (message.name === 'authenticationSASLFinal' && scram) {
      scram.verify(message.data ?? '');
      scramDone = true;
    } else {
      throw unexpected('the target asks for a login out of order');
    }
  }
}

/** The code behind the tag `R` of AuthenticationOk, and those that the parser knows besides, each with the size of its body. */
const AUTH_OK = 0;
const AUTH_BODY_BYTES: ReadonlyMap<number, number | undefined> = new Map([
  [AUTH_OK, 4],
  [3, 4], // CleartextPassword
  [5, 8], // MD5Password
  [10, undefined], // SASL
  [11, undefined], // SASLContinue
  [12, undefined], // SASLFinal
]);

/** Where the code has not the size that it should have, the parser would take it for AuthenticationOk. */
function authentication(request: TargetMessage): BackendMessage & { mechanisms?: string[]; data?: string } {
  const { body } = request;
  const code = body.length < 4 ? undefined : body.readInt32BE();
  if (code === undefined || !AUTH_BODY_BYTES.has(code)) {
    throw new UpstreamError(
      '08001',
      `the target asks for a login that the gateway cannot do (code ${code ?? 'missing'})`,
    );
  }
  const size = AUTH_BODY_BYTES.get(code);
  if (size !== undefined && body.length !== size) throw unexpected('the target does not speak the Postgres protocol');
  return parsed(request);
}

/** What a target says between its login and the first command, one by one. @throws WireError where it does not end */
export function greetingMessages(inbox: Inbox): () => Promise<TargetMessage> {
  let left = MAX_GREETING_BYTES;
  return async () => {
    const said = await readMessage(inbox, MAX_GREETING_MESSAGE_BYTES);
    left -= said.whole.length;
    if (left < 0) throw unexpected('the target does not come to an end with its greeting');
    return said;
  };
}

async function greet(inbox: Inbox, stream: Duplex): Promise<Upstream> {
  const next = greetingMessages(inbox);
  const greeting: Buffer[] = [];
  const parameters = new Map<string, string>();
  let key: { process: number; secret: Buffer } | undefined;
  for (;;) {
    const said = await next();
    const { tag, body, whole } = said;
    if (tag === B.errorResponse) throw loginError(said);
    if (tag === B.readyForQuery) break;
    if (tag === B.backendKeyData) {
      const fields = new Reader(body);
      key = { process: fields.int32(), secret: Buffer.from(fields.rest()) };
      continue;
    }
    const message = parsed(said);
    if (message instanceof ParameterStatusMessage) {
      parameters.set(message.parameterName, message.parameterValue);
    } else if (tag !== B.noticeResponse) {
      throw unexpected('the target said something unknown after the login');
    }
    greeting.push(whole);
  }
  const major = Number.parseInt(parameters.get('server_version') ?? '', 10);
  if (!(major >= SUPPORTED.from && major <= SUPPORTED.to)) {
    throw new UpstreamError(
      '0A000',
      `the target is PostgreSQL ${parameters.get('server_version') ?? 'of unknown version'}; the gateway understands ${SUPPORTED.from} to ${SUPPORTED.to}`,
    );
  }
  return { stream, greeting, parameters, major, process: key?.process ?? 0, secret: key?.secret ?? Buffer.alloc(4) };
}

/** AuthenticationMD5Password: md5(md5(password + user) + salt), in hex, with "md5" in front. */
function md5Password(user: string, password: string, salt: Uint8Array): string {
  const inner = createHash('md5')
    .update(password + user)
    .digest('hex');
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`;
}

/** The target's own words pass, except on the credential, which is none of the client's business. */
function loginError(said: TargetMessage): UpstreamError {
  const error = parsed(said);
  if (!(error instanceof DatabaseError)) throw unexpected('the target does not speak the Postgres protocol');
  const { code = '08001', message } = error;
  return code.startsWith('28')
    ? new UpstreamError(
        '08004',
        'the target did not accept the credential that is configured for this connection: tell its administrator',
      )
    : new UpstreamError(code, `the target refused the connection: ${message || 'no reason given'}`);
}

function asUpstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  return new UpstreamError('08001', `the connection to the target failed: ${reason(error)}`);
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
