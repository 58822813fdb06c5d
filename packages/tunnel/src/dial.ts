/** What gateway and agent say about one dial. Owns: these messages. Does not: dial. */
import { z } from 'zod';
import { read } from './messages.js';

/**
 * The payload of an open: which target, and which of the agent's secrets goes with it. A Unix socket has no `host`, so that an agent that
 * knows of none refuses it, and a `name` that the certificate behind it is held against. A program of the agent's list has neither, and an
 * `owner`: for whom it is, whose programs nobody else is given.
 */
const DialRequest = z.union([
  z.object({
    host: z.string().min(1).max(255),
    port: z.int().min(1).max(65535),
    secret: z.string().max(200).optional(),
    socket: z.undefined().optional(),
    program: z.undefined().optional(),
  }),
  z.object({
    socket: z.string().startsWith('/').max(200),
    name: z.string().min(1).max(255),
    host: z.undefined().optional(),
    program: z.undefined().optional(),
  }),
  z.object({
    program: z.string().min(1).max(64),
    owner: z.string().max(4_000),
    host: z.undefined().optional(),
    socket: z.undefined().optional(),
  }),
]);
export type DialRequest = z.infer<typeof DialRequest>;

/** The payload of an accept. */
const DialAnswer = z.object({
  /** The address that was reached. */
  address: z.string(),
  secret: z.string().optional(),
});
export type DialAnswer = z.infer<typeof DialAnswer>;

/** A control message to the agent: start TLS with the target now. Nothing may be on its way in either direction. */
const TlsRequest = z.object({
  tls: z.enum(['require', 'verify-ca', 'verify-full']),
  /** PEM; without it the agent's own roots are trusted. */
  ca: z.string().optional(),
  alpn: z.array(z.string()),
});
export type TlsRequest = z.infer<typeof TlsRequest>;

/** The agent's answer, if TLS is up; else the stream is reset with the reason. */
const TlsAnswer = z.object({
  /** `tls-server-end-point` of the target's certificate (RFC 5929 section 4.1) in base64, for channel binding. */
  endpoint: z.base64().optional(),
});
export type TlsAnswer = z.infer<typeof TlsAnswer>;

export const readDialRequest = (payload: Buffer): DialRequest => read(DialRequest, payload, 'request to dial');
export const readDialAnswer = (payload: Buffer): DialAnswer => read(DialAnswer, payload, 'answer to a dial');
export const readTlsRequest = (payload: Buffer): TlsRequest => read(TlsRequest, payload, 'request for TLS');
export const readTlsAnswer = (payload: Buffer): TlsAnswer => read(TlsAnswer, payload, 'answer about TLS');
