/** The codec against the packets of mysql2, whatever is in them. */
import { createRequire } from 'node:module';
import { generateKeyPairSync, privateDecrypt, verify, createPublicKey, constants } from 'node:crypto';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readDefinition } from '../src/definitions.js';
import { ed25519Proof } from '../src/ed25519.js';
import { authSwitch, greeting, readAuthSwitch, readGreeting, readResponse } from '../src/handshake.js';
import { PayloadReader, HEADER_BYTES, counted, encoded, framed } from '../src/packets.js';
import { decodeResult, textRow } from '../src/results.js';
import { encryptedPassword, nativeFits, nativeProof, newNonce, sha2Fits, sha2Proof } from '../src/scramble.js';
import { decoded } from '../src/text.js';
import { payload } from './talk.js';

/** Files that the package does not export: they are its codec. */
const here = createRequire(import.meta.url);
const folder = dirname(here.resolve('mysql2/package.json'));
const load = (name: string): unknown =>
  here(name.startsWith('mysql2/') ? join(folder, name.slice('mysql2/'.length)) : name);
/** A packet of mysql2 over these bytes. */
interface Packet {
  offset: number;
  buffer: Buffer;
  readLengthCodedNumber(): number;
  readLengthCodedString(encoding: string): string | null;
}
const PacketOf2 = load('mysql2/lib/packets/packet.js') as new (
  id: number,
  bytes: Buffer,
  start: number,
  end: number,
) => Packet;
const inPacket = (body: Buffer): Packet => {
  const bytes = framed(body, 0);
  const made = new PacketOf2(0, bytes, 0, bytes.length);
  made.offset = HEADER_BYTES;
  return made;
};

const text = fc.string({ unit: 'binary', maxLength: 300 });

test('numbers and texts with lengths', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), text, (value, said) => {
      expect(inPacket(encoded(value)).readLengthCodedNumber()).toBe(value);
      expect(new PayloadReader(encoded(value)).number()).toBe(value);
      expect(inPacket(counted(said)).readLengthCodedString('utf8')).toBe(Buffer.from(said).toString());
      expect(new PayloadReader(counted(said)).counted()).toEqual(Buffer.from(said));
    }),
  );
});

test('definitions of columns', () => {
  const Definition = load('mysql2/lib/packets/column_definition.js') as new (
    packet: Packet,
    encoding: string,
  ) => Record<string, unknown>;
  fc.assert(
    fc.property(text, fc.nat(255), fc.nat(65535), (name, type, flags) => {
      const bytes = payload.column(name, { type, flags, table: name });
      const theirs = new Definition(inPacket(bytes), 'utf8');
      const ours = readDefinition(bytes);
      const { orgTable, columnLength } = theirs;
      expect(ours).toMatchObject({
        name: theirs['name'],
        type: theirs['columnType'],
        flags: theirs['flags'],
        orgTable,
      });
      expect(ours.length).toBe(columnLength);
    }),
  );
});

test('greetings and responses', () => {
  const Handshake = load('mysql2/lib/packets/handshake.js') as { fromPacket(packet: Packet): Record<string, unknown> };
  const Response = load('mysql2/lib/packets/handshake_response.js') as new (from: unknown) => { toPacket(): Packet };
  const word = fc.string({ unit: fc.constantFrom('a', 'B', '9', '-', '.'), minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(word, fc.nat(0x7fffffff), word, text, (version, thread, plugin, user) => {
      const made = {
        version,
        thread,
        nonce: newNonce(),
        capabilities: 0x1ffaaf8,
        plugin,
        charset: 45,
        status: 2,
        extended: 8,
      };
      const bytes = greeting({ ...made, capabilities: 0x81ffaaf8 >>> 0 });
      expect(readGreeting(bytes)).toEqual({ ...made, capabilities: 0x81ffaaf8 });
      const theirs = Handshake.fromPacket(inPacket(bytes));
      expect(theirs['serverVersion']).toBe(version);
      expect(theirs['connectionId']).toBe(thread);
      const name = user.replaceAll('\0', '');
      const { buffer, offset } = new Response({
        flags: 0x1ffa2f8,
        user: name,
        database: 'shop',
        password: 'p',
        handshake: theirs,
        charsetNumber: 45,
        authPluginData1: made.nonce.subarray(0, 8),
        authPluginData2: made.nonce.subarray(8),
        compress: false,
        connectAttributes: { program: 'x' },
      }).toPacket();
      void offset;
      const response = readResponse(buffer.subarray(HEADER_BYTES));
      expect(response).toMatchObject({ user: Buffer.from(name).toString(), charset: 45 });
    }),
    { numRuns: 50 },
  );
});

test('rows of text', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constant(null),
          fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\0')),
        ),
      ),
      (cells) => {
        expect(textRow(payload.row(...cells))).toEqual(cells);
      },
    ),
  );
});

test('what was cut off or damaged still gives what there is', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.tuple(fc.nat(300), fc.nat(255))), (noise, hits) => {
      const bytes = Buffer.concat([
        framed(payload.count(2), 1),
        framed(payload.column('a'), 2),
        framed(payload.column('b', { type: 3 }), 3),
        framed(payload.row('x', '1'), 4),
        framed(payload.eof(), 5),
        noise,
      ]);
      for (const [at, value] of hits) if (at < bytes.length) bytes[at] = value;
      expect(() => decodeResult(bytes)).not.toThrow();
    }),
  );
});

test('proofs fit their own secret, and mysql2 makes the same', () => {
  const { calculateToken } = load('mysql2/lib/auth_41.js') as {
    calculateToken(password: string, one: Buffer, two: Buffer): Buffer;
  };
  const hashed = (algorithm: 'sha1' | 'sha256', secret: string): Buffer => {
    const { hash } = load('node:crypto') as typeof import('node:crypto');
    return hash(algorithm, hash(algorithm, secret, 'buffer'), 'buffer');
  };
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string(), (secret, other) => {
      const nonce = newNonce();
      expect(nonce.includes(0) || nonce.includes(0x24)).toBe(false);
      const native = nativeProof(secret, nonce);
      expect(native).toEqual(calculateToken(secret, nonce.subarray(0, 8), nonce.subarray(8)));
      expect(nativeFits(native, nonce, hashed('sha1', secret))).toBe(true);
      expect(sha2Fits(sha2Proof(secret, nonce), nonce, hashed('sha256', secret))).toBe(true);
      expect(sha2Fits(sha2Proof(other, nonce), nonce, hashed('sha256', secret))).toBe(other === secret);
      expect(sha2Fits(native, nonce, hashed('sha256', secret))).toBe(false);
    }),
  );
});

test('a password for the key of a server is read by it', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const nonce = newNonce();
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const clear = privateDecrypt(
    { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING },
    encryptedPassword('secret', nonce, pem),
  );
  expect(Buffer.from(clear.map((byte, at) => byte ^ (nonce[at % nonce.length] as number))).toString()).toBe('secret\0');
});

test('a signature of ed25519 verifies with the key of the password', () => {
  const nonce = newNonce();
  const proof = ed25519Proof('secret', nonce);
  // MariaDB's documentation of the plug-in has this key for this password.
  const key = Buffer.from('ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY', 'base64');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
  expect(verify(null, nonce, createPublicKey({ key: spki, format: 'der', type: 'spki' }), proof)).toBe(true);
  expect(ed25519Proof('secret2', nonce)).not.toEqual(proof);
});

test('a nonce that ends with a NUL is read whole', () => {
  // MariaDB's plug-in sends 32 random bytes and nothing behind them: one login in 256 has such an end.
  const nonce = Buffer.concat([Buffer.alloc(31, 7), Buffer.alloc(1)]);
  const named = Buffer.concat([Buffer.from([0xfe]), Buffer.from('client_ed25519\0')]);
  expect(readAuthSwitch(Buffer.concat([named, nonce]))).toEqual({ plugin: 'client_ed25519', nonce });
  const short = newNonce();
  expect(readAuthSwitch(authSwitch('caching_sha2_password', short)).nonce).toEqual(short);
});

test('two texts that differ in their bytes are two texts', () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(bytes, bytes, fc.constantFrom('utf8mb4', 'binary', 'cp1251', 'latin1'), (one, other, charset) => {
      const same = Buffer.from(one).equals(Buffer.from(other));
      expect(decoded(Buffer.from(one), charset) === decoded(Buffer.from(other), charset)).toBe(same);
    }),
    { numRuns: 2000 },
  );
});
