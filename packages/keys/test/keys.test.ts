/** Against ssh-keygen: keys, signatures, certificates and known hosts as OpenSSH writes them. */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  SshFields,
  KeyError,
  type PublicKey,
  blobOf,
  faultOf,
  fingerprint,
  isAbout,
  issue,
  keyLine,
  mpint,
  pack,
  parseCertificate,
  parseKeyLine,
  parseKnownHosts,
  parsePublicKey,
  unsigned,
} from '../src/index.js';

const NOW = Date.now();
const HOUR = 3_600_000;
const missing = spawnSync('ssh-keygen', ['-?']).error !== undefined;

describe.skipIf(missing)('as ssh-keygen has it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const keygen = (...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync('ssh-keygen', words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  };
  const make = (name: string, type: string, ...more: string[]): { file: string; key: PublicKey } => {
    const file = join(folder, name);
    keygen('-q', '-t', type, '-N', '', '-f', file, ...more);
    return { file, key: parseKeyLine(readFileSync(`${file}.pub`, 'utf8')) };
  };

  test.each([
    ['ed25519', []],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '384']],
    ['ecdsa', ['-b', '521']],
    ['rsa', ['-b', '2048']],
  ])('%s %j: its fingerprint, and its signatures', (type, more) => {
    const { file, key } = make(`${type}${more.join('')}`, type, ...more);
    expect(keygen('-l', '-f', `${file}.pub`)).toContain(fingerprint(key.blob));
    const text = join(folder, `${type}${more.join('')}.txt`);
    writeFileSync(text, 'signed');
    keygen('-q', '-Y', 'sign', '-n', 'test', '-f', file, text);
    // PROTOCOL.sshsig: what is signed is the digest of the message among other fields.
    const armoured = readFileSync(`${text}.sig`, 'utf8').replace(/-----.*-----|\s/g, '');
    const fields = new SshFields(Buffer.from(armoured, 'base64').subarray(6 + 4));
    const [blob, namespace, , hash, signature] = [
      fields.string(),
      fields.string(),
      fields.string(),
      fields.text(),
      fields.string(),
    ];
    expect(blob.equals(key.blob)).toBe(true);
    const digest = spawnSync('openssl', ['dgst', `-${hash}`, '-binary', text]).stdout;
    const data = pack({ raw: Buffer.from('SSHSIG') }, namespace, '', hash, digest);
    expect(key.verifies(data, signature)).toBe(true);
    expect(key.verifies(Buffer.concat([data, Buffer.of(0)]), signature)).toBe(false);
    expect(key.verifies(data, signature.subarray(0, -1))).toBe(false);
  });

  test('keys that are too weak are none', () => {
    const file = join(folder, 'short');
    keygen('-q', '-t', 'rsa', '-b', '1024', '-N', '', '-f', file);
    expect(() => parseKeyLine(readFileSync(`${file}.pub`, 'utf8'))).toThrow(/RSA key of about 1024 bits/);
  });

  test('a certificate: who signed it, for whom, until when', () => {
    const [ca, user, other] = [make('ca', 'ed25519'), make('user', 'ed25519'), make('other', 'ed25519')];
    keygen(
      '-q',
      '-s',
      ca.file,
      '-I',
      'id',
      '-n',
      'ada,bob',
      '-z',
      '7',
      '-V',
      '-1h:+1h',
      '-O',
      'no-pty',
      `${user.file}.pub`,
    );
    const blob = Buffer.from(readFileSync(`${user.file}-cert.pub`, 'utf8').split(' ')[1] ?? '', 'base64');
    const certificate = parseCertificate(blob);
    expect(certificate).toMatchObject({ type: 'user', id: 'id', serial: 7n, principals: ['ada', 'bob'], signed: true });
    expect(certificate.extensions.has('permit-pty')).toBe(false);
    expect(certificate.extensions.has('permit-port-forwarding')).toBe(true);
    expect(certificate.key.blob.equals(user.key.blob)).toBe(true);
    const expected = { type: 'user' as const, authorities: [ca.key], now: NOW };
    expect(faultOf(certificate, expected)).toBeUndefined();
    expect(faultOf(certificate, { ...expected, authorities: [other.key] })).toContain('not trusted');
    expect(faultOf(certificate, { ...expected, type: 'host' })).toContain('of a user');
    expect(faultOf(certificate, { ...expected, now: NOW + 2 * HOUR })).toContain('expired');
    expect(faultOf(certificate, { ...expected, now: NOW - 2 * HOUR })).toContain('not valid yet');
  });

  test('no byte of a certificate can be changed', () => {
    const [ca, user] = [make('ca2', 'ed25519'), make('user2', 'ed25519')];
    keygen('-q', '-s', ca.file, '-I', 'id', '-n', 'ada', `${user.file}.pub`);
    const blob = Buffer.from(readFileSync(`${user.file}-cert.pub`, 'utf8').split(' ')[1] ?? '', 'base64');
    for (let at = 0; at < blob.length; at++) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] ?? 0) ^ 1;
      let fault: string | undefined = 'unreadable';
      try {
        fault = faultOf(parseCertificate(changed), { type: 'user', authorities: [ca.key], now: NOW });
      } catch (error) {
        expect(error).toBeInstanceOf(KeyError);
      }
      expect(fault, `byte ${at}`).toBeDefined();
    }
  });

  test('a certificate that is made here is one to ssh-keygen', () => {
    const pair = generateKeyPairSync('ed25519');
    const ca = generateKeyPairSync('ed25519');
    const blob = issue(
      {
        key: parsePublicKey(blobOf(pair.publicKey)),
        type: 'user',
        id: 'made here',
        principals: ['root'],
        from: NOW,
        until: NOW + HOUR,
        extensions: ['permit-pty'],
        critical: { 'source-address': '127.0.0.1' },
      },
      ca.privateKey,
    );
    const file = join(folder, 'made.pub');
    writeFileSync(file, `ssh-ed25519-cert-v01@openssh.com ${blob.toString('base64')}\n`);
    const said = keygen('-L', '-f', file);
    expect(said).toContain('Key ID: "made here"');
    expect(said).toContain('source-address 127.0.0.1');
    expect(said).toContain(`Signing CA: ED25519 ${fingerprint(blobOf(ca.publicKey))}`);
    expect(parseCertificate(blob).signed).toBe(true);
  });

  test('hashed and plain known hosts', () => {
    const { key } = make('host', 'ed25519');
    const file = join(folder, 'known_hosts');
    writeFileSync(
      file,
      `gateway.example,[other.example]:2222 ${keyLine(key)}\n# a comment\n@revoked * ${keyLine(key)}\n`,
    );
    const about = (host: string, port: number): number =>
      parseKnownHosts(readFileSync(file, 'utf8')).filter(
        (line) => line.marker === undefined && isAbout(line, host, port),
      ).length;
    const all = (): number[] => [
      about('gateway.example', 22),
      about('gateway.example', 2222),
      about('other.example', 2222),
      about('else.example', 22),
    ];
    expect(all()).toEqual([1, 0, 1, 0]);
    keygen('-q', '-H', '-f', file);
    expect(all()).toEqual([1, 0, 1, 0]);
  });
});

test('patterns of known hosts, and their exceptions', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const line = keyLine({ type: 'ssh-ed25519', blob: blobOf(publicKey) });
  const [one] = parseKnownHosts(`@cert-authority *.example,!bad.example ${line}`);
  if (!one) throw new Error('no line');
  expect([isAbout(one, 'good.example', 22), isAbout(one, 'bad.example', 22), isAbout(one, 'example', 22)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(() => parseKnownHosts('host ssh-ed25519 AAAA')).toThrow(/line 1/);
});

test('whatever bytes come, the answer is a key or a KeyError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, certificate) => {
      const type = certificate ? 'ssh-ed25519-cert-v01@openssh.com' : 'ssh-ed25519';
      const blob = Buffer.concat([pack(type), bytes]);
      try {
        if (certificate) parseCertificate(blob);
        else parsePublicKey(blob);
      } catch (error) {
        expect(error).toBeInstanceOf(KeyError);
      }
    }),
  );
});

test('numbers keep their value and lose their zeros', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      expect(unsigned(mpint(bytes), 32).equals(Buffer.from(bytes))).toBe(true);
    }),
  );
  expect(() => unsigned(Buffer.of(0x80))).toThrow(KeyError);
});

test('a text that is not UTF-8 is no text', () => {
  expect(() => new SshFields(pack(Buffer.of(0xff, 0xfe))).text()).toThrow(/UTF-8/);
  expect(new SshFields(pack('grün')).text()).toBe('grün');
  const key = createPrivateKey(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const signature = pack('ssh-ed25519', sign(null, Buffer.from('x'), key));
  expect(parsePublicKey(blobOf(key)).verifies(Buffer.from('x'), signature)).toBe(true);
});
