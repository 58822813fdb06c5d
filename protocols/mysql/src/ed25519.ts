/**
 * The proof of MariaDB's `ed25519` plug-in: an Ed25519 signature (RFC 8032) of the nonce, with the password itself as the
 * secret key. Node signs with secret keys of 32 bytes alone, so the arithmetic is here. It is done once for each login at a
 * target, with the gateway's own password, and not in constant time. Pure.
 */
import { hash } from 'node:crypto';

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const mod = (value: bigint, by = P): bigint => ((value % by) + by) % by;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) result = (result * b) % P;
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));

/** In extended coordinates (RFC 8032 section 5.1.4). */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint];

const Y = mod(4n * power(5n, P - 2n));
const X = 15112221349535400772501151409588531511454012693041857206046113283949847762202n;
const BASE: Point = [X, Y, 1n, mod(X * Y)];

function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * t1 * t2 * D);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(scalar: bigint): Point {
  let result: Point = [0n, 1n, 1n, 0n];
  for (let point = BASE, left = scalar; left > 0n; left >>= 1n, point = add(point, point))
    if (left & 1n) result = add(result, point);
  return result;
}

function compressed([x, y, z]: Point): Buffer {
  const inverse = power(z, P - 2n);
  const bytes = little(mod(y * inverse));
  bytes[31] = (bytes[31] as number) | (mod(x * inverse) & 1n ? 0x80 : 0);
  return bytes;
}

const little = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const number = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const sha512 = (...parts: readonly Uint8Array[]): Buffer => hash('sha512', Buffer.concat(parts), 'buffer');

/** @returns 64 bytes */
export function ed25519Proof(password: string, nonce: Uint8Array): Buffer {
  const secret = sha512(Buffer.from(password));
  const clamped = Buffer.from(secret.subarray(0, 32));
  clamped[0] = (clamped[0] as number) & 248;
  clamped[31] = ((clamped[31] as number) & 63) | 64;
  const a = number(clamped);
  const key = compressed(times(a));
  const r = mod(number(sha512(secret.subarray(32), nonce)), ORDER);
  const first = compressed(times(r));
  const k = mod(number(sha512(first, key, nonce)), ORDER);
  return Buffer.concat([first, little(mod(r + k * a, ORDER))]);
}
