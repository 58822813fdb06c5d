/**
 * How long what somebody makes may live. Owns: the bounds of gateway tokens and of tokens that agents enrol with, by what their
 * maker showed. Does not: make them. All times are in milliseconds.
 */
import { parseDuration } from '@sluice/config';
import type { Proven } from '@sluice/identity';
import type { Controlled } from './controlled.js';
import { ControlError } from './routes.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How long a token lives when nobody says, and at the longest. */
const DEFAULT_LIFE_MS = 30 * DAY_MS;
const MAX_LIFE_MS = 365 * DAY_MS;
/** The same of tokens that an agent enrols with, which are used once. */
const DEFAULT_ENROLMENT_MS = HOUR_MS;
const MAX_ENROLMENT_MS = 30 * DAY_MS;

/**
 * The life of a gateway token, for whomever it is made. `wish`: as written, `12h`.
 *
 * @throws ControlError when that is none, or longer than it may be
 */
export function lifeOf(gateway: Controlled, proven: Proven, wish: string | undefined): number {
  const most = Math.min(MAX_LIFE_MS, proven.by === 'issuer' ? issuerAllows(gateway, proven) : leftOf(proven));
  if (most <= 0)
    throw new ControlError(403, 'People of this issuer make no gateway tokens.', '"tokens" of the issuer allows them.');
  return bounded(wish, DEFAULT_LIFE_MS, most);
}

/** The life of a token that an agent enrols with. @throws ControlError as `lifeOf` does */
export function enrolmentLifeOf(gateway: Controlled, proven: Proven, wish: string | undefined): number {
  const shown = proven.by === 'issuer' ? Math.max(HOUR_MS, issuerAllows(gateway, proven)) : leftOf(proven);
  return bounded(wish, DEFAULT_ENROLMENT_MS, Math.min(MAX_ENROLMENT_MS, shown));
}

const issuerAllows = ({ identity }: Controlled, { principal }: Proven): number =>
  identity.issuers?.get(principal.issuer ?? '')?.tokens ?? 0;

/** The operator's own of the data folder has no end; that of the first set-up has. */
const leftOf = ({ expires = Infinity }: Proven): number => expires - Date.now();

function bounded(wish: string | undefined, otherwise: number, most: number): number {
  const wished = wish === undefined ? Math.min(otherwise, most) : (parseDuration(wish) ?? 0);
  if (wish !== undefined && wished <= 0) throw new ControlError(400, `"${wish}" is not a duration: write 12h or 30d.`);
  if (wished <= most) return wished;
  throw new ControlError(
    403,
    `This token could be valid for ${inWords(most)} at most.`,
    'A token does not outlive the one it is made with, nor what "tokens" of an issuer allows its people. docs/identity.md has the bounds.',
  );
}

/** As it would be written: `12h`, `30d`, `90m`; what is left of something is rounded down. */
function inWords(time: number): string {
  if (time >= 2 * DAY_MS || time % DAY_MS === 0) return `${Math.floor(time / DAY_MS)}d`;
  if (time % HOUR_MS === 0) return `${time / HOUR_MS}h`;
  const minutes = Math.floor(time / 60_000);
  return minutes < 60 ? `${minutes}m` : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}
