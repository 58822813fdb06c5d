/**
 * TLS of the gateway's own listeners. Owns: the settings that every listener shares, and the self-signed certificate. Does not:
 * do handshakes (handshakes.ts).
 */
import 'reflect-metadata';
import { constants } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { ClientTls } from './tls.js';

export type ServerTls = ClientTls;

/** Authorities of client certificates, and what they have revoked, PEM. */
export interface ClientAuthorities {
  readonly ca: string;
  readonly crl?: string | undefined;
}

/**
 * Authenticated encryption with forward secrecy only (RFC 9325 section 4.2). TLS 1.2 is what the oldest supported drivers
 * speak; a client may not renegotiate, since each handshake costs more of us than of it.
 */
export const TLS_SETTINGS = {
  minVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
} as const;

/** @throws Error with a sentence of OpenSSL for what is no certificate, key or list of revoked ones */
export function serverTls(certificate: string, key: string, clients?: ClientAuthorities): ServerTls {
  const asked = clients && { ca: clients.ca, ...(clients.crl !== undefined && { crl: clients.crl }) };
  const context = createSecureContext({ cert: certificate, key, ...asked, ...TLS_SETTINGS });
  return { context, certificate, ...(clients && { asksForCertificate: true }) };
}

const LIFE_YEARS = 10;

/**
 * A certificate of the gateway's own, made once and kept, for who has none yet: it encrypts, and a client that is given
 * the file can verify it. ECDSA with SHA-256, so that SCRAM channel binding works with it.
 */
export async function selfSigned(folder: string): Promise<{ certificate: string; key: string; file: string }> {
  const file = join(folder, 'gateway.crt');
  const keyFile = join(folder, 'gateway.key');
  if (!existsSync(file) || !existsSync(keyFile)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const made = await generate();
    writeFileSync(keyFile, made.key, { mode: 0o600 });
    chmodSync(keyFile, 0o600);
    writeFileSync(file, made.certificate);
  }
  return { certificate: readFileSync(file, 'utf8'), key: readFileSync(keyFile, 'utf8'), file };
}

async function generate(): Promise<{ certificate: string; key: string }> {
  // Loaded on demand: it is only needed at the first start.
  const x509 = await import('@peculiar/x509');
  const { subtle } = globalThis.crypto;
  x509.cryptoProvider.set(globalThis.crypto);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - 60 * 60 * 1000);
  const notAfter = new Date(notBefore);
  notAfter.setFullYear(notAfter.getFullYear() + LIFE_YEARS);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=sluice',
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }, ...addresses()]),
    ],
  });
  const key = Buffer.from(await subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${key.replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
  };
}

function addresses(): { type: 'ip'; value: string }[] {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [...new Set(['127.0.0.1', '::1', ...own.map((one) => one.address)])]
    .filter((address) => !address.startsWith('fe80'))
    .map((value) => ({ type: 'ip', value }));
}
