import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './places.js';
import { findTool, missingTool } from './tools.js';

export interface TestCertificates {
  /** PEM of the authority, to be trusted. */
  readonly ca: string;
  readonly caFile: string;
  /** Signed by it, for the given names. */
  readonly certificate: string;
  readonly key: string;
  remove(): void;
}

/** A certificate authority and one server certificate of it, made with the openssl command. */
export function makeCertificates(names: readonly string[] = ['localhost', '127.0.0.1']): TestCertificates {
  const openssl = findTool('openssl');
  if (!openssl) throw new Error(missingTool('openssl'));
  const { path, remove } = temporaryFolder('certificates');
  const file = (name: string): string => join(path, name);
  const run = (...args: string[]): void => void execFileSync(openssl, args, { cwd: path, stdio: 'pipe' });
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run(...request, '-x509', '-days', '30', '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.crt');
  run(...request, '-subj', '/CN=server', '-keyout', 'server.key', '-out', 'server.csr');
  const alternatives = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
  writeFileSync(file('extensions'), `subjectAltName=${alternatives}\n`);
  const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
  const extensions = ['-sha256', '-extfile', 'extensions'];
  run('x509', '-req', '-days', '30', '-in', 'server.csr', ...authority, ...extensions, '-out', 'server.crt');
  const read = (name: string): string => readFileSync(file(name), 'utf8');
  return {
    ca: read('ca.crt'),
    caFile: file('ca.crt'),
    certificate: read('server.crt'),
    key: read('server.key'),
    remove,
  };
}

/** PEM of an RSA key, and of a certificate of its own making, as providers sign answers by SAML with. */
export interface SigningKey {
  readonly key: string;
  readonly certificate: string;
}

export function makeSigningKey(): SigningKey {
  const openssl = findTool('openssl');
  if (!openssl) throw new Error(missingTool('openssl'));
  const { path, remove } = temporaryFolder('signing-key');
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=identity provider'];
  execFileSync(openssl, [...words, '-keyout', 'key', '-out', 'certificate'], { cwd: path, stdio: 'pipe' });
  const read = (name: string): string => readFileSync(join(path, name), 'utf8');
  const made = { key: read('key'), certificate: read('certificate') };
  remove();
  return made;
}
