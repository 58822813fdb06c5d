/**
 * Identity providers: whether their discovery documents can be fetched, what their clocks say of ours, and how long certificates are good.
 * Does not: log in there.
 */
import { X509Certificate } from 'node:crypto';
import type { Config, IssuerConfig, SamlIssuerConfig } from '@sluice/config';
import { type Finding, failed, ok, warning } from './finding.js';

const MAX_WAIT_MS = 5_000;
/** The largest document that is read, in bytes. */
const MAX_BYTES = 256 * 1024;

export const examineIssuers = async ({ issuers }: Config): Promise<Finding[]> =>
  (await Promise.all([...issuers.values()].map(examine))).flat();

async function examine(issuer: IssuerConfig): Promise<Finding[]> {
  if (issuer.saml) return examineCertificates(issuer);
  const { name, url, clockSkew } = issuer;
  const address = `${url.replace(/\/$/, '')}/.well-known/openid-configuration`;
  try {
    const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(MAX_WAIT_MS) });
    const text = (await response.text()).slice(0, MAX_BYTES);
    if (!response.ok) throw new Error(`status ${response.status}`);
    const { issuer } = JSON.parse(text) as { issuer?: unknown };
    if (issuer !== url)
      return [
        failed(
          'issuer',
          name,
          `${address} is of ${String(issuer).slice(0, 200)}`,
          `Write "issuer" as it is there, to the letter.`,
        ),
      ];
    return [ok('issuer', name, `${address} answers`), ...clocks(name, response.headers.get('date'), clockSkew)];
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? message;
    return [
      failed(
        'issuer',
        name,
        `${address}: ${why}`,
        'Nobody new logs in by it: is the address right, and may this machine reach it?',
      ),
    ];
  }
}

function clocks(name: string, date: string | null, skew: number): Finding[] {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return [];
  const seconds = Math.round(Math.abs(Date.now() - theirs) / 1000);
  if (seconds * 1000 <= Math.max(skew, 2_000)) return [ok('time', `${name} and this machine`, `${seconds} s apart`)];
  return [
    warning(
      'time',
      `${name} and this machine`,
      `${seconds} s apart`,
      'Set the clock of this machine by NTP: tokens look as if they were expired, or not valid yet.',
    ),
  ];
}

/** That it has run out keeps nobody from logging in: many providers go on with it. That it does means that another one is due. */
const examineCertificates = ({ name, saml: { certificates } }: SamlIssuerConfig): Finding[] =>
  certificates.map((pem) => {
    const { validToDate } = new X509Certificate(pem);
    const until = `its certificate is good until ${validToDate.toISOString().slice(0, 10)}`;
    if (validToDate.getTime() > Date.now()) return ok('issuer', name, until);
    return warning(
      'issuer',
      name,
      until,
      'Ask its administrator which certificate signs now, and name both for a while.',
    );
  });
