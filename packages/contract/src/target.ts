/** What leads into a target, and what it is told of who comes. Does not: go there. */
import type { HttpTarget } from './http.js';

/** How to log in at the target. Never shown to the client, never logged. */
export interface Target {
  readonly host: string;
  readonly user: string;
  /** May come with the dial: read it when the target asks for it. */
  readonly password?: string | undefined;
  readonly database?: string;
  readonly tls: TlsMode;
  readonly ssh?: SshTarget;
  readonly http?: HttpTarget;
  /** What the target is told of who has the session (`annotate` of the connection): settings of its sessions, by name. */
  readonly annotations?: Readonly<Record<Annotation, string>>;
  /** What the configuration says under `options` for a protocol in a package of somebody else: free of form, so check it. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What SSH needs to know of a target besides. Keys are in wire format (RFC 4253 section 6.6). */
export interface SshTarget {
  /** Host key algorithms to ask for, best first. */
  readonly hostKeyAlgorithms: readonly string[];
  /** Why this is not the host's key, in a sentence; undefined when it is, or when it is the first one seen. */
  refuses(hostKey: Uint8Array): string | undefined;
  /** The host has proven that it has this key. */
  proven(hostKey: Uint8Array): void;
  /** A private key in a form that OpenSSH writes, and the certificate for it. May be made for this login. */
  readonly key?: () => SshKey;
  /** What reads command lines there. */
  readonly shell: 'sh' | 'bash' | 'opaque';
}

export interface SshKey {
  /** The public half or the certificate, in wire format. */
  readonly blob: Uint8Array;
  /** A signature in wire format, by the algorithm that the host is told (RFC 8332 for RSA). */
  sign(data: Uint8Array, algorithm: string): Uint8Array;
  /** Algorithms to tell the host, best first. */
  readonly algorithms: readonly string[];
}

/** 'require' encrypts without looking at the certificate; 'verify-ca' and 'verify-full' are those of libpq. */
export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/**
 * Settings of a session by which a target knows who has it: the name of the principal, its groups as a JSON array, and the id of the
 * session. Clients cannot change them.
 */
export const ANNOTATIONS = ['sluice.principal', 'sluice.groups', 'sluice.session'] as const;
export type Annotation = (typeof ANNOTATIONS)[number];
