/**
 * The gateway's own login at the target. Owns: dial, TLS, proof, and the state that the session begins with. Does not: what passes
 * afterwards.
 */
import type { Duplex } from 'node:stream';
import type { Gate, Target } from '@sluice/contract';
import { Inbox, WireError } from '@sluice/wire';
import { CAPABILITY, asked, lacksNeeded } from './capabilities.js';
import {
  type Greeting,
  type HandshakeResponse,
  readAuthSwitch,
  readGreeting,
  response,
  tlsRequest,
} from './handshake.js';
import { COM, bareCommand, killText, queryPacket } from './commands.js';
import { framed, readPacket } from './packets.js';
import { ed25519Proof } from './ed25519.js';
import { EOF, ERR, OK, readError } from './replies.js';
import { CLEAR, ED25519, NATIVE, SHA2, encryptedPassword, nativeProof, sha2Proof } from './scramble.js';
import { type Server, serverOf } from './session-state.js';

/** What of the gate is needed to get to a target. */
export type Reach = Pick<Gate, 'dial' | 'secure' | 'limits'>;

/** A target that has logged the gateway in. */
export interface Upstream {
  readonly stream: Duplex;
  readonly server: Server;
  /** As its greeting has it. */
  readonly version: string;
  readonly thread: number;
  readonly capabilities: number;
  /** MariaDB's own flags that are in force. */
  readonly extended: number;
}

/** How the client came, as far as the target is to know. */
export type ClientOptions = Pick<
  HandshakeResponse,
  'capabilities' | 'charset' | 'database' | 'attributes' | 'extended'
>;

/** The target could not be opened. The words go to the client, so they hold no secret. */
export class UpstreamError extends WireError {
  readonly number: number;
  readonly sqlstate: string;

  constructor(text: string, number = 2003, sqlstate = 'HY000') {
    super('WIRE_UNEXPECTED', text);
    this.number = number;
    this.sqlstate = sqlstate;
  }
}

/** A packet of a login that is longer than this is none. Bytes. */
const MAX_LOGIN_PACKET_BYTES = 64 * 1024;
/** MariaDB 10.3 and MySQL 8.0 are the oldest that are tried or documented. */
const OLDEST = { mariadb: 100_300, mysql: 80_000 } as const;

/**
 * Dials the target and logs in with the credential that only the gateway knows.
 *
 * @throws UpstreamError with words for the client
 */
export async function openUpstream(gate: Reach, target: Target, wishes: ClientOptions): Promise<Upstream> {
  let stream = await dial(gate);
  const late = (): void => {
    stream.destroy(new UpstreamError('the target accepted the connection and then did not finish the login in time'));
  };
  const timer = setTimeout(late, gate.limits.upstreamLogin);
  let inbox = new Inbox(stream);
  try {
    const { payload } = await readPacket(inbox, MAX_LOGIN_PACKET_BYTES);
    const greeted = readAsGreeting(payload);
    const server = supported(greeted.version);
    if (lacksNeeded(greeted.capabilities)) throw new UpstreamError('the target is older than the gateway supports');
    const capabilities = asked(wishes.capabilities, greeted.capabilities);
    const extended = wishes.extended & greeted.extended;
    let sequence = 1;
    if (target.tls !== 'disable') {
      if ((greeted.capabilities & CAPABILITY.tls) === 0)
        throw new UpstreamError('the target does not speak TLS, which this connection demands');
      if (inbox.buffered > 0) throw new UpstreamError('the target sent bytes before the TLS handshake');
      await written(stream, framed(tlsRequest({ ...wishes, capabilities, extended }), sequence++));
      inbox.release();
      stream = (await gate.secure(stream, 'upstream')).stream;
      inbox = new Inbox(stream);
    }
    const flags = target.tls === 'disable' ? capabilities : (capabilities | CAPABILITY.tls) >>> 0;
    const login = { inbox, stream, target, sequence, isPrivate: target.tls !== 'disable' };
    await authenticate(login, greeted, { ...wishes, capabilities: flags, extended });
    return { stream, server, version: greeted.version, thread: greeted.thread, capabilities, extended };
  } catch (error) {
    stream.destroy();
    throw asUpstreamError(error);
  } finally {
    clearTimeout(timer);
    inbox.release();
  }
}

/** Resolves when it has left: TLS takes the stream over, and nothing may wait in it. */
function written(stream: Duplex, bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  return promise;
}

async function dial(gate: Reach): Promise<Duplex> {
  try {
    return await gate.dial();
  } catch (error) {
    throw new UpstreamError(`the target of this connection cannot be reached: ${reason(error)}`);
  }
}

function readAsGreeting(payload: Buffer): Greeting {
  // A server that is full, or has blocked this host, says so in place of its greeting.
  if (payload[0] === ERR) throw new UpstreamError(`the target refused the connection: ${readError(payload).message}`);
  return readGreeting(payload);
}

function supported(version: string): Server {
  const server = serverOf(version);
  if (server && server.version >= OLDEST[server.flavour]) return server;
  throw new UpstreamError(`the target is version ${version.slice(0, 40)}, which the gateway does not understand`);
}

interface TargetLogin {
  readonly inbox: Inbox;
  readonly stream: Duplex;
  readonly target: Target;
  readonly isPrivate: boolean;
  sequence: number;
}

async function authenticate(login: TargetLogin, greeted: Greeting, wishes: ClientOptions): Promise<void> {
  const { target } = login;
  let { plugin, nonce } = greeted;
  // A proof for a way that the gateway does not have is never asked for: the target then names another.
  if (plugin !== SHA2 && plugin !== NATIVE) plugin = NATIVE;
  const proof = proofFor(plugin, nonce, login);
  const database = wishes.database ?? target.database;
  send(login, response({ ...wishes, user: target.user, proof, database, plugin }));
  for (;;) {
    const payload = await receive(login);
    if (payload[0] === OK) return;
    if (payload[0] === ERR) throw loginError(payload);
    if (payload[0] === EOF) {
      ({ plugin, nonce } = readAuthSwitch(payload));
      send(login, proofFor(plugin, nonce, login));
    } else if (payload[0] === 0x01 && plugin === SHA2) await more(login, payload, nonce);
    else throw new UpstreamError('the target said something unknown during the login');
  }
}

/** What `caching_sha2_password` asks for behind the proof. */
async function more(login: TargetLogin, payload: Buffer, nonce: Buffer): Promise<void> {
  if (payload[1] === 0x03) return;
  if (payload[1] !== 0x04) throw new UpstreamError('the target said something unknown during the login');
  if (login.isPrivate) return send(login, Buffer.concat([Buffer.from(passwordOf(login)), Buffer.alloc(1)]));
  send(login, Buffer.from([0x02]));
  const key = await receive(login);
  if (key[0] !== 0x01) throw loginError(key);
  send(login, encryptedPassword(passwordOf(login), nonce, key.toString('latin1', 1)));
}

function proofFor(plugin: string, nonce: Buffer, login: TargetLogin): Buffer {
  const password = passwordOf(login);
  switch (plugin) {
    case NATIVE:
      return nativeProof(password, nonce);
    case SHA2:
      return sha2Proof(password, nonce);
    case ED25519:
      return ed25519Proof(password, nonce);
    case CLEAR:
      if (!login.isPrivate)
        throw new UpstreamError('the target asks for its password in the clear: set tls for this connection');
      return Buffer.concat([Buffer.from(password), Buffer.alloc(1)]);
    default:
      throw new UpstreamError(`the target asks for a login that the gateway cannot do (${plugin.slice(0, 40)})`);
  }
}

const passwordOf = ({ target }: TargetLogin): string => target.password ?? '';

function send(login: TargetLogin, payload: Buffer): void {
  login.stream.write(framed(payload, login.sequence));
}

async function receive(login: TargetLogin): Promise<Buffer> {
  const { sequence, payload } = await readPacket(login.inbox, MAX_LOGIN_PACKET_BYTES);
  login.sequence = sequence + 1;
  return payload.length === 0 ? Buffer.alloc(1, 0xff) : payload;
}

/** Has the target end what the session of this number does there. Resolves when it has been told. */
export async function killUpstream(gate: Reach, target: Target, thread: number): Promise<void> {
  const { stream } = await openUpstream(gate, target, NO_WISHES);
  const inbox = new Inbox(stream);
  const timer = setTimeout(() => stream.destroy(), gate.limits.upstreamLogin);
  try {
    stream.write(queryPacket(killText({ what: 'query', thread })));
    await readPacket(inbox, MAX_LOGIN_PACKET_BYTES);
  } finally {
    clearTimeout(timer);
    inbox.release();
    stream.on('error', () => undefined);
    stream.end(bareCommand(COM.quit));
    stream.resume();
    setTimeout(() => stream.destroy(), MAX_CLOSE_MS).unref();
  }
}

/** How long a target may take to close a connection that is not needed any more. */
export const MAX_CLOSE_MS = 5_000;
/** utf8mb4_general_ci, by its number. */
const UTF8MB4 = 45;
/** Of the gateway's own. */
export const NO_WISHES: ClientOptions = {
  capabilities: 0,
  charset: UTF8MB4,
  database: undefined,
  attributes: undefined,
  extended: 0,
};

/** The target's own words pass, except on the credential, which is none of the client's business. */
function loginError(payload: Buffer): UpstreamError {
  if (payload[0] !== ERR || payload.length < 3) return new UpstreamError('the target broke off the login');
  const { code, sqlstate, message } = readError(payload);
  return [1044, 1045, 1698].includes(code) || sqlstate.startsWith('28')
    ? new UpstreamError(
        'the target did not accept the credential that is configured for this connection: tell its administrator',
        1045,
        '28000',
      )
    : new UpstreamError(`the target refused the connection: ${message}`, code, sqlstate);
}

function asUpstreamError(error: unknown): UpstreamError {
  return error instanceof UpstreamError
    ? error
    : new UpstreamError(`the connection to the target failed: ${reason(error)}`);
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
