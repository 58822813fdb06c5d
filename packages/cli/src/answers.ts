/**
 * What a gateway answers, checked before it becomes an argument of a program, a line of a file or an address to connect to.
 * Owns: the patterns that names, hosts and ports of an answer have. Does not: what is merely printed, which output.ts cleans.
 */
import { isSafeUrl, parseAddress } from '@sluice/addresses';
import type { ConnectionRow, IssuerRow, SshClientConfig } from '@sluice/api';
import type { ApiClient } from './client.js';
import { CliError } from './errors.js';
import { printableLine } from '@sluice/printable';

/** The name of a connection, as in sluice.yaml. */
const NAME = /^[A-Za-z0-9][\w.@-]{0,254}$/;
/** A host name (RFC 1123, with underscores). It never begins with "-", which would make it an option. */
const HOST = /^[A-Za-z0-9_][\w-]*(\.[A-Za-z0-9_][\w-]*)*\.?$/;
const PORT = /^\d{1,5}$/;
/** A public key as in a .pub file, without a comment (sshd(8), AUTHORIZED_KEYS). */
const PUBLIC_KEY = /^[a-z0-9-]+(@[a-z0-9.-]+)? [A-Za-z0-9+/]+={0,2}$/;
/** Characters that would end a line, or be none. */
const CONTROL = /\p{Cc}/u;

/** A place to connect to. The host has no brackets. */
export interface Endpoint {
  readonly host: string;
  readonly port: string;
}

/** The connections that the caller may use. @throws CliError when an answer holds anything but names and addresses */
export async function connectionsOf(api: ApiClient): Promise<readonly ConnectionRow[]> {
  const rows = await api.get<ConnectionRow[]>('/v1/connections');
  for (const { name, listener } of rows) {
    checked(NAME.test(name), 'a name of a connection', name);
    endpointOf(listener);
  }
  return rows;
}

/** Reads `host:port`, where an IPv6 address is in brackets. @throws CliError when it is none */
export function endpointOf(listener: string): Endpoint {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^[\]]*)):([^:]*)$/.exec(listener) ?? [];
  const host = bracketed ?? plain ?? '';
  const known = parseAddress(host) !== undefined || (bracketed === undefined && HOST.test(host));
  checked(known && PORT.test(port) && Number(port) <= 65535, 'an address', listener);
  return { host, port };
}

/** What `client-config ssh` prints. @throws CliError when a part of it could be another line of a configuration */
export function checkedSshConfig(config: SshClientConfig): SshClientConfig {
  const { host, port, hostKey, userCa, connections } = config;
  checked(parseAddress(host) !== undefined || HOST.test(host), 'a host', host);
  checked(Number.isInteger(port) && port > 0 && port <= 65535, 'a port', String(port));
  for (const key of [hostKey, userCa]) checked(PUBLIC_KEY.test(key), 'a public key', key);
  for (const name of connections) checked(NAME.test(name), 'a name of a connection', name);
  return config;
}

/** A name of a person, or a token, which goes into a line of a file. @throws CliError when it has control characters */
export function checkedWord(text: string): string {
  checked(!CONTROL.test(text), 'a name', text);
  return text;
}

/** An identity provider to send somebody to. @throws CliError when anybody between could change what it answers */
export function checkedIssuer(issuer: IssuerRow): IssuerRow {
  const at = 'console' in issuer ? issuer.console : issuer.issuer;
  checked(isSafeUrl(at), 'an identity provider with an https address', at);
  return issuer;
}

function checked(good: boolean, what: string, text: string): void {
  if (good) return;
  throw new CliError(
    `The gateway names ${what} that is none: "${printableLine(text).slice(0, 100)}".`,
    'It may not be the gateway that you think it is. Nothing was done.',
  );
}
