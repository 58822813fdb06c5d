/**
 * Header fields as they were sent: order, case and repetitions stay. Owns: looking one up, and which of them belong to one
 * connection or to the gateway and never go on (RFC 9110 section 7.6.1). Does not: read them off the wire (h1/head.ts).
 */
import type { Header } from '@sluice/contract';
import { badRequest } from './errors.js';

const lowered = new Map<string, string>();
/** Names that are remembered in lower case; whatever comes beyond is lowered again each time. */
const MAX_REMEMBERED_NAMES = 1000;
const MAX_REMEMBERED_NAME_CHARACTERS = 64;

/** The name in lower case. Names repeat, so the common ones are made once. */
export function lower(name: string): string {
  const known = lowered.get(name);
  if (known !== undefined) return known;
  const made = name.toLowerCase();
  if (lowered.size < MAX_REMEMBERED_NAMES && name.length <= MAX_REMEMBERED_NAME_CHARACTERS) lowered.set(name, made);
  return made;
}

/** The first value of a header; `name` in lower case. */
export function valueOf(headers: readonly Header[], name: string): string | undefined {
  for (const [one, value] of headers) if (lower(one) === name) return value;
  return undefined;
}

/** All values of a header, in order; `name` in lower case. Most are not there, which costs no array. */
export function valuesOf(headers: readonly Header[], name: string): readonly string[] {
  let values: string[] | undefined;
  for (const [one, value] of headers) if (lower(one) === name) (values ??= []).push(value);
  return values ?? NO_VALUES;
}
const NO_VALUES: readonly string[] = [];

/** The members of a comma-separated header, in lower case, over all its lines. */
export function listOf(headers: readonly Header[], name: string): readonly string[] {
  const values = valuesOf(headers, name);
  if (values.length === 0) return NO_VALUES;
  return values.flatMap((value) =>
    value.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim().toLowerCase()])),
  );
}

/** Of one connection, never of the message. `te` is written anew where it says `trailers`. */
const HOP_BY_HOP = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** What a client could say about who it is or where it comes from, which is the gateway's to say or nobody's. */
const CLAIMS = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  // What proxies that log people in tell those behind them (Grafana, oauth2-proxy, IAP, ALB, Azure, Cloudflare), and certificates (RFC 9440).
  'remote-user',
  'remote-groups',
  'remote-email',
  'remote-name',
  'cf-access-jwt-assertion',
  'cf-access-authenticated-user-email',
  'x-goog-iap-jwt-assertion',
  'client-cert',
  'client-cert-chain',
]);
const CLAIM_PREFIXES =
  /^(?:x-(?:forwarded-|remote-|webauth-|auth-request-|authenticated-|goog-authenticated-|amzn-oidc-|ms-client-principal|ssl-client-|client-cert)|ssl-client-|impersonate-|sluice-)/;

/**
 * Cookies of the gateway's own pages. Browsers send them to every port of a host: one is a login of whoever has it, which is nothing for a target,
 * nor a target's to give.
 */
const OWN_COOKIE = /^\s*(?:__(?:host|secure)-)?sluice-/i;

/** What a `Cookie` header says without those of the gateway; undefined: nothing is left. */
export function withoutOwnCookies(value: string): string | undefined {
  const pairs = value.split(';');
  const kept = pairs.filter((pair) => !OWN_COOKIE.test(pair));
  return kept.length === pairs.length ? value : kept.length === 0 ? undefined : kept.join(';').trimStart();
}

/** Whether a `Set-Cookie` header names one of the gateway's. */
export const setsOwnCookie = (value: string): boolean => OWN_COOKIE.test(value);

/** Headers with which a client asks for another method than the one on the request line, past rules that read that one. */
const METHOD_OVERRIDES = new Set(['x-http-method', 'x-http-method-override', 'x-method-override']);

/** Whether a client's header says on whose behalf it comes. Such a one never goes on. */
export const isClaim = (name: string): boolean => CLAIMS.has(name) || CLAIM_PREFIXES.test(name);

/** Named in `Connection`, these would be taken out by the next hop, and the message would be another one. */
const NOT_FOR_ONE_HOP = /^(host|authorization|cookie|content-.*|transfer-encoding|te|trailer|expect)$/;

/**
 * The names that `Connection` makes headers of this connection alone.
 *
 * @throws HttpError when it names one that the message needs
 */
export function namedInConnection(headers: readonly Header[]): ReadonlySet<string> {
  let named: Set<string> | undefined;
  for (const option of listOf(headers, 'connection')) {
    if (option === 'close' || option === 'keep-alive' || option === 'upgrade' || option === 'te') continue;
    if (NOT_FOR_ONE_HOP.test(option))
      throw badRequest(`Connection names ${option}, which is no header of one connection`);
    (named ??= new Set()).add(option);
  }
  return named ?? NONE;
}
const NONE: ReadonlySet<string> = new Set();

/** Whether a header, in lower case, stays on the connection that it came by. */
export const isHopByHop = (name: string, named: ReadonlySet<string>): boolean =>
  HOP_BY_HOP.has(name) || named.has(name);

/** @throws HttpError for a header that asks for another method than the one that was judged */
export function refuseOverrides(headers: readonly Header[]): void {
  for (const [name] of headers)
    if (METHOD_OVERRIDES.has(lower(name)))
      throw badRequest(`${name} asks for another method than the request line has: send the request with that method`);
}

/** Not in trailers: what frames a message, routes it, or says who sends it (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS =
  /^(transfer-encoding|content-length|content-encoding|content-type|content-range|host|trailer|te|connection|http2-settings|expect|range|max-forwards|set-cookie|cookie|authorization|proxy-.*|www-authenticate|cache-control|if-.*|upgrade|keep-alive|age|expires|location|retry-after|vary|x-original-url|x-rewrite-url)$/;

/** It may say that the connection ends behind this message, which some parsers believe of trailers too. */
export const isConnection = ([name]: Header): boolean => /^(?:proxy-)?connection$/i.test(name);

/** Trailers that may go on: those that frame, route or authorise do not. */
export const passableTrailers = (trailers: readonly Header[]): readonly Header[] =>
  trailers.filter(([name]) => {
    const lowerName = lower(name);
    return !NOT_IN_TRAILERS.test(lowerName) && !isClaim(lowerName) && !METHOD_OVERRIDES.has(lowerName);
  });
