/** Certificates that listeners show, those that targets are trusted by, and when each ends. Does not: check whom they are for. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@sluice/config';
import { type Finding, failed, ok, warning } from './finding.js';

const CHECK = 'certificate';
const DAY_MS = 86_400_000;
/** A certificate that ends within this many days is worth a warning. */
const SOON_DAYS = 21;

interface Shown {
  readonly about: string;
  readonly pem: string;
}

/** @param now milliseconds since 1970 */
export function examineCertificates(config: Config, now = Date.now()): Finding[] {
  return [...listeners(config), ...authorities(config)].flatMap(({ about, pem }) => examine(about, pem, now));
}

function listeners({ listeners: { clients, agents, console }, data }: Config): Shown[] {
  const own = Object.entries({ agents, console }).flatMap(([protocol, one]) =>
    one ? [{ tls: one.tls, protocol }] : [],
  );
  const all = [...clients, ...own];
  return all.flatMap(({ protocol, tls }): Shown[] => {
    if (tls === 'off') return [];
    if (tls !== 'self-signed') return [{ about: `listener ${protocol}`, pem: tls.cert }];
    const file = join(data, 'gateway.crt');
    // Made at the first start.
    return existsSync(file) ? [{ about: `listener ${protocol}, self-signed`, pem: readFileSync(file, 'utf8') }] : [];
  });
}

const authorities = ({ connections }: Config): Shown[] =>
  [...connections.values()].flatMap(({ name, target }) =>
    target.ca === undefined ? [] : [{ about: `authority of the target of ${name}`, pem: target.ca }],
  );

function examine(about: string, pem: string, now: number): Finding[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const [first] = blocks;
  if (first === undefined) return [failed(CHECK, about, 'there is none in its file', 'Name a file in PEM.')];
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(first);
  } catch {
    return [failed(CHECK, about, 'it cannot be read', 'Name a file in PEM.')];
  }
  const ends = certificate.validToDate;
  const days = Math.floor((ends.getTime() - now) / DAY_MS);
  const until = `valid until ${ends.toISOString().slice(0, 10)}`;
  if (certificate.validFromDate.getTime() > now)
    return [failed(CHECK, about, 'it is not valid yet', 'Look at the clock of this machine, or wait.')];
  if (days < 0) return [failed(CHECK, about, `it has expired: ${until}`, 'Put a new one in its place and restart.')];
  if (days < SOON_DAYS)
    return [warning(CHECK, about, `${until}, ${days} days`, 'Renew it; a restart takes it into use.')];
  return [ok(CHECK, about, `${until}, ${days} days`)];
}
