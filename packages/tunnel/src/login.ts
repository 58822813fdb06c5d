/**
 * How an agent proves who it is before the tunnel. Owns: the three texts and the signature. Does not: who is admitted
 * (packages/agents).
 */
import { type KeyObject, createHash, createPublicKey, sign, verify } from 'node:crypto';
import { z } from 'zod';

/** How an agent proves who it is, before the tunnel: three JSON texts over the WebSocket. docs/tunnel.md shows them. */
export const SUBPROTOCOL = 'sluice-tunnel.1';
export const PATH = '/v1/tunnel';
/** Time for the whole login, in milliseconds, at both ends. */
export const LOGIN_MS = 10_000;

const base64 = (bytes: number) => z.base64().refine((text) => Buffer.from(text, 'base64').length === bytes);

export const AgentChallenge = z.object({ type: z.literal('challenge'), nonce: base64(32) });
export type AgentChallenge = z.infer<typeof AgentChallenge>;

export const AgentProof = z.object({
  type: z.literal('proof'),
  /** Ed25519 public key, 32 bytes (RFC 8032). */
  key: base64(32),
  /** The gateway's host as the agent was told to dial it. */
  host: z.string().max(255),
  /** Ed25519 signature of `signedText`. */
  signature: base64(64),
  /** Only at the first time: a one-time token. */
  token: z.string().max(100).optional(),
  version: z.string().max(40),
  /** What the agent may reach, for people to see. The gateway does not rely on it. */
  allow: z.array(z.string().max(300)).max(200),
});
export type AgentProof = z.infer<typeof AgentProof>;

export const AgentVerdict = z.union([
  z.object({ type: z.literal('welcome'), agent: z.string(), name: z.string(), enrolled: z.boolean() }),
  z.object({ type: z.literal('refused'), message: z.string(), final: z.boolean() }),
]);
export type AgentVerdict = z.infer<typeof AgentVerdict>;

/**
 * What the agent signs. The nonce makes it good once; host and certificate make it good for this gateway only, so that
 * whoever gets an agent to dial them cannot pass its proof on.
 *
 * @param certificate SHA-256 of the certificate that the agent saw, in hex; empty without TLS, which only loopback is
 */
function signedText(nonce: string, host: string, certificate: string): Buffer {
  return Buffer.from(['sluice agent login 1', nonce, host, certificate].join('\n'));
}

export function prove(key: KeyObject, nonce: string, host: string, certificate: string): string {
  return sign(null, signedText(nonce, host, certificate), key).toString('base64');
}

export function proven(proof: AgentProof, nonce: string, certificate: string): boolean {
  const { key, host, signature } = proof;
  const x = Buffer.from(key, 'base64').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, signedText(nonce, host, certificate), publicKey, Buffer.from(signature, 'base64'));
}

/** The raw public key in base64. */
export function publicKeyOf(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}

/** What an agent is called: the start of the SHA-256 of its public key, in hex. */
export const agentId = (key: string): string =>
  createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 16);

/** A message of the login, or undefined when it is none. */
export function readLogin<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
