/**
 * The proof of a client: SCRAM, a password over TLS, a bearer token. Owns the messages of it. Does not own whether it is
 * good (the gate).
 */
import {
  type Admission,
  type Challenge,
  type Gate,
  type LoginWay,
  REFUSAL_KINDS,
  type Refusal,
} from '@sluice/contract';
import { type Inbox, Reader, malformed, unexpected } from '@sluice/wire';
import { B, F, HEADER_BYTES, message } from './messages.js';
import { OAUTHBEARER, errorStatus, isDummy, readBearer } from './oauth.js';
import {
  SCRAM,
  SCRAM_PLUS,
  proofFits,
  readClientFinal,
  readClientFirst,
  serverFirst,
  serverSignature,
} from './scram.js';
import { StartupRefusal } from './settings.js';

/** A password or SASL message longer than this is not one. */
const MAX_PASSWORD_MESSAGE_BYTES = 64 * 1024;

const AUTH = { ok: 0, cleartext: 3, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;
export const authenticationOk = message(B.authentication, AUTH.ok);

export interface ClientSide {
  readonly inbox: Inbox;
  write(bytes: Uint8Array): void;
  /** Hash of the certificate that the client has seen, when it speaks TLS. */
  readonly endpoint: Uint8Array | undefined;
}

/** SASL authentication (55.3): offer, first, continue, final. PLUS is offered over TLS only. */
export async function loginByScram(client: ClientSide, challenge: Challenge): Promise<Admission | Refusal> {
  const offers = client.endpoint ? [SCRAM_PLUS, SCRAM] : [SCRAM];
  client.write(message(B.authentication, AUTH.sasl, ...offers, Buffer.alloc(1)));

  const initial = new Reader(await readPassword(client.inbox));
  const mechanism = initial.cstring();
  if (!offers.includes(mechanism))
    throw unexpected(`client selected an invalid SASL authentication mechanism: ${mechanism}`);
  const length = initial.int32();
  if (length !== initial.left) throw malformed('the SASL initial response has a wrong length');
  const first = readClientFirst(initial.rest().toString('utf8'));
  const bound = mechanism === SCRAM_PLUS;
  // 'y' from a client to whom we offered PLUS: somebody in between has taken the offer away (RFC 5802 section 6).
  if (
    bound
      ? first.gs2 !== 'p=tls-server-end-point,,'
      : first.gs2.startsWith('p') || (first.gs2.startsWith('y') && client.endpoint)
  ) {
    throw malformed('the SCRAM channel binding does not fit what was offered');
  }

  const verifiers = challenge.scram();
  const ours = serverFirst(first, verifiers.salt, verifiers.iterations);
  client.write(message(B.authentication, AUTH.saslContinue, Buffer.from(ours.text)));

  const final = readClientFinal((await readPassword(client.inbox)).toString('utf8'));
  const binding = Buffer.concat([Buffer.from(first.gs2), bound ? (client.endpoint as Uint8Array) : Buffer.alloc(0)]);
  const intact = final.nonce === ours.nonce && final.binding.equals(binding);
  const authMessage = `${first.bare},${ours.text},${final.withoutProof}`;
  // Each is tried, whichever fits: the time must not tell how many tokens there are.
  const [proven] = verifiers.candidates.filter(({ storedKey }) => proofFits(final.proof, storedKey, authMessage));
  if (!intact || !proven) return verifiers.fail();

  const admitted = await proven.admit();
  if (admitted.type === 'admission') {
    client.write(
      message(B.authentication, AUTH.saslFinal, Buffer.from(`v=${serverSignature(proven.serverKey, authMessage)}`)),
    );
  }
  return admitted;
}

/**
 * OAUTHBEARER. A client that has no token yet is told where to get one, and fails; libpq then comes again. The caller has made
 * sure that nobody else can read along.
 */
async function loginByBearer(client: ClientSide, challenge: Challenge): Promise<Admission | Refusal> {
  client.write(message(B.authentication, AUTH.sasl, OAUTHBEARER, Buffer.alloc(1)));
  const initial = new Reader(await readPassword(client.inbox));
  const mechanism = initial.cstring();
  if (mechanism !== OAUTHBEARER)
    throw unexpected(`client selected an invalid SASL authentication mechanism: ${mechanism}`);
  if (initial.int32() !== initial.left) throw malformed('the SASL initial response has a wrong length');
  const token = readBearer(initial.rest());
  const outcome = token === undefined ? undefined : await challenge.bearer(token);
  if (outcome?.type === 'admission') return outcome;
  // Only what was wrong with the token can be mended with another one.
  if (outcome && REFUSAL_KINDS[outcome.reason.code] !== 'credentials') return outcome;
  client.write(message(B.authentication, AUTH.saslContinue, Buffer.from(errorStatus(challenge.discovery))));
  if (!isDummy(await readPassword(client.inbox))) throw malformed('expected the end of the OAUTHBEARER exchange');
  if (outcome) return outcome;
  throw new StartupRefusal('28000', 'a token is needed: the client was told where to get one');
}

/** AuthenticationCleartextPassword. The caller has made sure that nobody else can read along. */
async function loginByPassword(client: ClientSide, challenge: Challenge): Promise<Admission | Refusal> {
  client.write(message(B.authentication, AUTH.cleartext));
  return challenge.password(new Reader(await readPassword(client.inbox)).cstring());
}

/** Chooses the way: the client's wish, else the listener's, else SCRAM. */
export async function login(
  client: ClientSide,
  gate: Gate,
  wish: LoginWay | undefined,
  challenge: Challenge,
): Promise<Admission | Refusal> {
  const way = wish ?? challenge.prefers ?? 'scram';
  if (way === 'scram') return loginByScram(client, challenge);
  if (!client.endpoint && !gate.loopback) {
    throw unexpected('a token is sent over TLS only: add sslmode=require, or leave sluice.login out');
  }
  return way === 'oauth' ? loginByBearer(client, challenge) : loginByPassword(client, challenge);
}

async function readPassword(inbox: Inbox): Promise<Buffer> {
  const head = await inbox.read(HEADER_BYTES);
  if (head[0] !== F.password) throw unexpected('expected a password or SASL response');
  const length = head.readInt32BE(1);
  if (length < 4 || length > MAX_PASSWORD_MESSAGE_BYTES)
    throw malformed(`invalid length of password message: ${length}`);
  return inbox.read(length - 4);
}
