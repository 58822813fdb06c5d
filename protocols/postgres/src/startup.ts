/**
 * The untagged first packet of a client. Owns its reading and its bounds. Does not own what becomes of its settings
 * (`settings.ts`). Pure.
 */
import { Reader, malformed, type Inbox } from '@sluice/wire';
import { B, message } from './messages.js';

/** Codes in place of a version in the untagged first packet (src/include/libpq/pqcomm.h). */
export const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
export const VERSION_3_0 = 0x0003_0000;
const VERSION_3_2 = 0x0003_0002;
/** MAX_STARTUP_PACKET_LENGTH of the server. */
const MAX_STARTUP_PACKET_BYTES = 10_000;
/** First byte of a TLS record that carries a handshake: the client speaks TLS without asking (PostgreSQL 17). */
const TLS_HANDSHAKE = 0x16;

export type FirstPacket =
  | { readonly type: 'tls' }
  | { readonly type: 'ssl' }
  | { readonly type: 'gss' }
  | { readonly type: 'cancel'; readonly key: Buffer }
  | Startup;

export interface Startup {
  readonly type: 'startup';
  /** 0x0003_0000 or 0x0003_0002: what the client and the gateway will speak. */
  readonly version: number;
  readonly parameters: ReadonlyMap<string, string>;
  /** A NegotiateProtocolVersion to send first, when the client asked for more than there is. */
  readonly negotiate?: Buffer;
}

/** Reads one first packet. Clients may send several: GSS, then SSL, then the start-up proper. */
export async function readFirstPacket(inbox: Inbox): Promise<FirstPacket> {
  const head = await inbox.read(4);
  if (head[0] === TLS_HANDSHAKE) {
    inbox.unread(head);
    return { type: 'tls' };
  }
  const length = head.readInt32BE(0);
  if (length < 8 || length > MAX_STARTUP_PACKET_BYTES) throw malformed(`invalid length of startup packet: ${length}`);
  const packet = new Reader(await inbox.read(length - 4));
  const code = packet.int32();
  switch (code) {
    case SSL_REQUEST:
      return { type: 'ssl' };
    case GSSENC_REQUEST:
      return { type: 'gss' };
    case CANCEL_REQUEST:
      return { type: 'cancel', key: Buffer.from(packet.rest()) };
    default:
      return readStartup(code, packet);
  }
}

function readStartup(version: number, packet: Reader): Startup {
  if (version >> 16 !== 3) {
    throw malformed(
      `unsupported frontend protocol ${version >> 16}.${version & 0xffff}: the gateway speaks 3.0 and 3.2`,
    );
  }
  const parameters = new Map<string, string>();
  const unknown: string[] = [];
  for (let name = packet.cstring(); name !== ''; name = packet.cstring()) {
    const value = packet.cstring();
    if (name.startsWith('_pq_.')) unknown.push(name);
    else parameters.set(name, value);
  }
  if (packet.left > 0) throw malformed('invalid startup packet layout: expected terminator as last byte');
  // 3.1 was never a version. Whoever asks for more than 3.2 is told 3.2, which is what the server does.
  const spoken = version >= VERSION_3_2 ? VERSION_3_2 : VERSION_3_0;
  const negotiated = spoken !== version || unknown.length > 0;
  return {
    type: 'startup',
    version: spoken,
    parameters,
    ...(negotiated && { negotiate: message(B.negotiateProtocolVersion, spoken, unknown.length, ...unknown) }),
  };
}

/** A fresh secret for BackendKeyData: 4 bytes in protocol 3.0, up to 256 from 3.2 on; 32 are plenty. */
export const secretLength = (version: number): number => (version >= VERSION_3_2 ? 32 : 4);
