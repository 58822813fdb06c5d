import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Gate, Target } from '@sluice/contract';
import { Inbox, Reader, WireError, unexpected } from '@sluice/wire';
import { B, F, HEADER, message, readErrorFields, startupPacket } from './messages.js';
import { ScramClient } from './scram.js';
import { CANCEL_REQUEST, SSL_REQUEST, VERSION_3_0 } from './startup.js';

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
const AUTH = { ok: 0, cleartext: 3, md5: 5, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;
const SUPPORTED = { from: 15, to: 18 };

/**
 * Dials the target and logs in with the credential that only the gateway knows.
 *
 * @param settings run-time settings for the start-up packet, each already judged
 * @throws UpstreamError with words for the client
 */
export async function openUpstream(
  gate: Reach,
  target: Target,
  settings: ReadonlyMap<string, string>,
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
    wire.stream.write(startupPacket(VERSION_3_0, ...parameters(target, settings).flat(), Buffer.alloc(1)));
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
    stream.write(startupPacket(SSL_REQUEST));
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

function parameters(target: Target, settings: ReadonlyMap<string, string>): [string, string][] {
  return [
    ['user', target.user],
    ['database', target.database ?? target.user],
    ...settings,
    // What the parser assumes. Last, so that nothing before can win; ParameterStatus is watched for them as well.
    ['client_encoding', 'UTF8'],
    ['standard_conforming_strings', 'on'],
  ];
}

async function authenticate(inbox: Inbox, wire: Wire, target: Target): Promise<void> {
  let scram: ScramClient | undefined;
  let scramDone = false;
  for (;;) {
    const { tag, body } = await readMessage(inbox);
    if (tag === B.noticeResponse || tag === B.negotiateProtocolVersion) continue;
    if (tag === B.errorResponse) throw loginError(body);
    if (tag !== B.authentication) throw unexpected('the target does not speak the Postgres protocol');
    const fields = new Reader(body);
    const kind = fields.int32();
    if (kind === AUTH.ok) {
      if (scram && !scramDone)
        throw unexpected('the target skipped its half of the SCRAM exchange: it may be an impostor');
      return;
    }
    const password = target.password;
    if (password === undefined)
      throw new UpstreamError('08001', 'the target asks for a password and this connection has none configured');
    if (kind === AUTH.cleartext) {
      if (target.tls === 'disable')
        throw new UpstreamError('08001', 'the target asks for its password in the clear: set tls for this connection');
      wire.stream.write(message(F.password, password));
    } else if (kind === AUTH.md5) {
      wire.stream.write(message(F.password, md5Password(target.user, password, fields.bytes(4))));
    } else if (kind === AUTH.sasl) {
      const offered: string[] = [];
      for (let name = fields.cstring(); name !== ''; name = fields.cstring()) offered.push(name);
      scram = new ScramClient(offered, wire.endpoint);
      const first = Buffer.from(scram.first);
      wire.stream.write(message(F.password, scram.mechanism, first.length, first));
    } else if (kind === AUTH.saslContinue && scram) {
      wire.stream.write(message(F.password, Buffer.from(await scram.final(password, fields.rest().toString('utf8')))));
    } else if (kind === AUTH.saslFinal && scram) {
      scram.verify(fields.rest().toString('utf8'));
      scramDone = true;
    } else {
      throw new UpstreamError('08001', `the target asks for a login that the gateway cannot do (code ${kind})`);
    }
  }
}

async function greet(inbox: Inbox, stream: Duplex): Promise<Upstream> {
  const greeting: Buffer[] = [];
  const parameters = new Map<string, string>();
  let key: { process: number; secret: Buffer } | undefined;
  for (;;) {
    const { tag, body, whole } = await readMessage(inbox);
    if (tag === B.errorResponse) throw loginError(body);
    if (tag === B.readyForQuery) break;
    if (tag === B.backendKeyData) {
      const fields = new Reader(body);
      key = { process: fields.int32(), secret: Buffer.from(fields.rest()) };
      continue;
    }
    if (tag === B.parameterStatus) {
      const fields = new Reader(body);
      parameters.set(fields.cstring(), fields.cstring());
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

export async function readMessage(inbox: Inbox): Promise<{ tag: number; body: Buffer; whole: Buffer }> {
  const head = await inbox.read(HEADER);
  const length = head.readInt32BE(1);
  if (length < 4 || length > MAX_GREETING_MESSAGE_BYTES)
    throw unexpected('the target does not speak the Postgres protocol');
  const body = await inbox.read(length - 4);
  return { tag: head[0] as number, body, whole: Buffer.concat([head, body]) };
}

/** AuthenticationMD5Password: md5(md5(password + user) + salt), in hex, with "md5" in front. */
function md5Password(user: string, password: string, salt: Uint8Array): string {
  const inner = createHash('md5')
    .update(password + user)
    .digest('hex');
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`;
}

/** The target's own words pass, except on the credential, which is none of the client's business. */
function loginError(body: Buffer): UpstreamError {
  const fields = readErrorFields(body);
  const code = fields.get('C') ?? '08001';
  return code.startsWith('28')
    ? new UpstreamError(
        '08004',
        'the target did not accept the credential that is configured for this connection: tell its administrator',
      )
    : new UpstreamError(code, `the target refused the connection: ${fields.get('M') ?? 'no reason given'}`);
}

function asUpstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  return new UpstreamError('08001', `the connection to the target failed: ${reason(error)}`);
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
