/** Fields of HTTP/2 as node:http2 gives them: names and values in turn. Owns: reading them in order, with their repetitions. */
import type { Header } from '@sluice/contract';

export interface HeaderFields {
  /** Pseudo-fields, with their colon. */
  readonly pseudo: ReadonlyMap<string, string>;
  /** Of an answer; 0 where there is none. */
  readonly status: number;
  readonly headers: readonly Header[];
}

/** Reads a flat list of names and values. Cookies that were sent in crumbs (RFC 9113 section 8.2.3) are one again. */
export function fromRaw(raw: readonly string[]): HeaderFields {
  const pseudo = new Map<string, string>();
  const headers: Header[] = [];
  let cookie: { at: number; value: string } | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    const value = raw[at + 1] as string;
    if (name.startsWith(':')) pseudo.set(name, value);
    else if (name !== 'cookie') headers.push([name, value]);
    else if (cookie) {
      cookie.value += `; ${value}`;
      headers[cookie.at] = [name, cookie.value];
    } else {
      cookie = { at: headers.length, value };
      headers.push([name, value]);
    }
  }
  return { pseudo, status: Number(pseudo.get(':status') ?? 0), headers };
}

/** The same flat list, for node:http2 to send. */
export const toRaw = (headers: readonly Header[]): string[] =>
  headers.flatMap(([name, value]) => [name.toLowerCase(), value]);

export type FieldMap = Record<string, string | string[]>;

/** The same by name, where node:http2 takes no list. */
export function fieldMap(headers: readonly Header[]): FieldMap {
  const values = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const before = values.get(name.toLowerCase());
    if (before) before.push(value);
    else values.set(name.toLowerCase(), [value]);
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? (all[0] as string) : all]));
}
