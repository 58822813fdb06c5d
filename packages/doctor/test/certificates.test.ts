import type { Config } from '@sluice/config';
import { makeCertificates, missingTool } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { examineCertificates } from '../src/certificates.js';

const DAY = 86_400_000;

test.skipIf(missingTool('openssl'))('a certificate that has ended, ends soon, is not valid yet, or is none', () => {
  const made = makeCertificates();
  const config = (cert: string): Config =>
    ({
      data: '/nowhere',
      listeners: { clients: [{ protocol: 'postgres', tls: { cert, key: made.key } }] },
      connections: new Map(),
    }) as unknown as Config;
  const at = (days: number, cert = made.certificate): unknown => {
    const [one] = examineCertificates(config(cert), Date.now() + days * DAY);
    return [one?.state, one?.says];
  };
  // It is made for 30 days.
  expect(at(0)).toEqual(['ok', expect.stringContaining('29 days')]);
  expect(at(15)).toEqual(['warning', expect.stringContaining('14 days')]);
  expect(at(31)).toEqual(['failed', expect.stringContaining('expired')]);
  expect(at(-2)).toEqual(['failed', 'it is not valid yet']);
  expect(at(0, 'no PEM')).toEqual(['failed', 'there is none in its file']);
  expect(at(0, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toEqual([
    'failed',
    'it cannot be read',
  ]);
  made.remove();
});
