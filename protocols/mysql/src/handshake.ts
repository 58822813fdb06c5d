/**
 * The first packets of a connection, both ways: greeting (protocol 10), request for TLS, response, switch of the way to log in.
 * Pure. Does not: decide what is offered or taken (`capabilities.ts`, `login.ts`).
 */
import { malformed } from '@sluice/wire';
import { CAPABILITY } from './capabilities.js';
import { PayloadReader, counted, encoded, terminated, uint } from './packets.js';
import { ED25519, NONCE_BYTES } from './scramble.js';

/** Of MariaDB's plug-in `ed25519`, which sends no NUL behind it. */
const ED25519_NONCE_BYTES = 32;

export interface Greeting {
  readonly version: string;
  readonly thread: number;
  readonly nonce: Buffer;
  readonly capabilities: number;
  readonly plugin: string;
  /** Number of the server's character set. */
  readonly charset: number;
  readonly status: number;
  /** MariaDB's own flags; 0: it is none. */
  readonly extended: number;
}

export function greeting(one: Greeting): Buffer {
  const { version, thread, nonce, capabilities, plugin, charset, status, extended } = one;
  return Buffer.concat([
    uint(10, 1),
    terminated(version),
    uint(thread, 4),
    nonce.subarray(0, 8),
    uint(0, 1),
    uint(capabilities & 0xffff, 2),
    uint(charset & 0xff, 1),
    uint(status, 2),
    uint(capabilities >>> 16, 2),
    uint(NONCE_BYTES + 1, 1),
    Buffer.alloc(6),
    uint(extended, 4),
    terminated(nonce.subarray(8)),
    terminated(plugin),
  ]);
}

export function readGreeting(payload: Buffer): Greeting {
  const fields = new PayloadReader(payload);
  if (fields.uint(1) !== 10) throw malformed('it does not speak version 10 of the protocol');
  const version = fields.terminated().toString('utf8');
  const thread = fields.uint(4);
  const first = fields.bytes(8);
  fields.bytes(1);
  const low = fields.uint(2);
  const charset = fields.uint(1);
  const status = fields.uint(2);
  const capabilities = (low | (fields.uint(2) << 16)) >>> 0;
  const size = fields.uint(1);
  fields.bytes(6);
  const own = fields.uint(4);
  const extended = capabilities & CAPABILITY.longPassword ? 0 : own;
  const rest = fields.bytes(Math.max(13, size - 8)).subarray(0, NONCE_BYTES - 8);
  const plugin = capabilities & CAPABILITY.pluginAuth && fields.left > 0 ? untilNul(fields.rest()) : '';
  return { version, thread, nonce: Buffer.concat([first, rest]), capabilities, plugin, charset, status, extended };
}

/** MySQL once left out the NUL behind the name of a plug-in. */
const untilNul = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
};

export interface HandshakeResponse {
  readonly capabilities: number;
  readonly maxPacket: number;
  readonly charset: number;
  readonly user: string;
  readonly proof: Buffer;
  readonly database: string | undefined;
  /** Empty: the client names none. */
  readonly plugin: string;
  /** Connection attributes, as they came. */
  readonly attributes: Buffer | undefined;
  /** MariaDB's own flags. */
  readonly extended: number;
}

/** A request for TLS is the start of a response, and nothing more. */
export const isTlsRequest = (payload: Buffer): boolean =>
  payload.length === TLS_REQUEST_BYTES && (payload.readUInt32LE(0) & CAPABILITY.tls) !== 0;

const TLS_REQUEST_BYTES = 32;

export function readResponse(payload: Buffer): HandshakeResponse {
  const fields = new PayloadReader(payload);
  const capabilities = fields.uint(4);
  const has = (flag: number): boolean => (capabilities & flag) !== 0;
  if (!has(CAPABILITY.protocol41)) throw malformed('the client is older than MySQL 4.1');
  if (!has(CAPABILITY.secureConnection)) throw malformed('the client knows only the passwords of MySQL before 4.1');
  const maxPacket = fields.uint(4);
  const charset = fields.uint(1);
  fields.bytes(19);
  const own = fields.uint(4);
  const user = fields.terminated().toString('utf8');
  const proof = has(CAPABILITY.pluginAuthLengths) ? fields.counted() : fields.bytes(fields.uint(1));
  const database =
    has(CAPABILITY.connectWithDatabase) && fields.left > 0 ? fields.terminated().toString('utf8') : undefined;
  const plugin = has(CAPABILITY.pluginAuth) && fields.left > 0 ? fields.terminated().toString('latin1') : '';
  const attributes = has(CAPABILITY.connectAttributes) && fields.left > 0 ? fields.counted() : undefined;
  return {
    capabilities,
    maxPacket,
    charset,
    user,
    proof: Buffer.from(proof),
    database: database === '' ? undefined : database,
    plugin,
    attributes: attributes && Buffer.from(attributes),
    extended: has(CAPABILITY.longPassword) ? 0 : own,
  };
}

/** COM_CHANGE_USER, behind its code. */
export type ChangeUser = Pick<HandshakeResponse, 'user' | 'proof' | 'database' | 'plugin' | 'charset'>;

/** @param capabilities as the client has them */
export function readChangeUser(payload: Buffer, capabilities: number): ChangeUser {
  const fields = new PayloadReader(payload, 1);
  const user = fields.terminated().toString('utf8');
  const proof = Buffer.from(fields.bytes(fields.uint(1)));
  const database = fields.left > 0 ? fields.terminated().toString('utf8') : '';
  const charset = fields.left >= 2 ? fields.uint(2) : 0;
  const plugin = capabilities & CAPABILITY.pluginAuth && fields.left > 0 ? untilNul(fields.rest()) : '';
  return { user, proof, database: database === '' ? undefined : database, plugin, charset };
}

type OpeningFields = Pick<HandshakeResponse, 'capabilities' | 'charset' | 'extended'>;

const opening = ({ capabilities, charset, extended }: OpeningFields): Buffer =>
  Buffer.concat([
    uint(capabilities >>> 0, 4),
    uint(MAX_UPSTREAM_PACKET, 4),
    uint(charset, 1),
    Buffer.alloc(19),
    uint(extended, 4),
  ]);

export const tlsRequest = (one: OpeningFields): Buffer =>
  opening({ ...one, capabilities: one.capabilities | CAPABILITY.tls });

/** What the gateway says it takes from a target, in bytes. */
const MAX_UPSTREAM_PACKET = 0x4000_0000;

export function response(one: Omit<HandshakeResponse, 'maxPacket'>): Buffer {
  let { capabilities } = one;
  if (one.database !== undefined) capabilities |= CAPABILITY.connectWithDatabase;
  if (one.attributes) capabilities |= CAPABILITY.connectAttributes;
  return Buffer.concat([
    opening({ ...one, capabilities }),
    terminated(one.user),
    counted(one.proof),
    ...(one.database === undefined ? [] : [terminated(one.database)]),
    terminated(one.plugin),
    ...(one.attributes ? [encoded(one.attributes.length), one.attributes] : []),
  ]);
}

/** The server would rather be shown another proof. */
export const authSwitch = (plugin: string, nonce: Buffer): Buffer =>
  Buffer.concat([uint(0xfe, 1), terminated(plugin), terminated(nonce)]);

export function readAuthSwitch(payload: Buffer): { plugin: string; nonce: Buffer } {
  const fields = new PayloadReader(payload, 1);
  // A bare 0xfe asks for the scramble of MySQL before 4.1.
  if (fields.left === 0) throw malformed('it asks for a password of MySQL before 4.1');
  const plugin = fields.terminated().toString('latin1');
  // A nonce has a length of its own: what is behind it is a NUL, and a NUL within is part of it.
  const nonce = Buffer.from(fields.rest().subarray(0, plugin === ED25519 ? ED25519_NONCE_BYTES : NONCE_BYTES));
  return { plugin, nonce };
}
