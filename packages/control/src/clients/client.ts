/** What clients of a connection are told, as each of them takes it. Types, and quoting for a shell. Pure. */
import type { ClientSnippet } from '@sluice/api';

/** Where a client goes, and as whom. */
export interface Endpoint {
  readonly host: string;
  readonly port: string;
  readonly tls: boolean;
  readonly connection: string;
  /** The user name to log in with. */
  readonly user: string;
}

/** Stands for the token, which is no part of what the gateway prints: a shell takes it for a variable. */
export const TOKEN = '$TOKEN';

/** The clients of one protocol, the one that most people have first. */
export interface ClientSnippets {
  readonly protocol: string;
  of(endpoint: Endpoint): readonly ClientSnippet[];
}

/** One word for a POSIX shell. */
export const shellQuoted = (text: string): string =>
  /^[\w.@:/+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** IPv6 in brackets. */
export const placeOf = ({ host, port }: Endpoint): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
