import { assignment } from './assignment.js';
import { isDigit, LETTER } from './bytes.js';
import { card } from './card.js';
import { ConnectionStrings } from './connection.js';
import { email } from './email.js';
import { type Entity, type Finding, NONE, resolve } from './finding.js';
import { iban } from './iban.js';
import { jwt } from './jwt.js';
import { pem } from './pem.js';
import { phone } from './phone.js';
import { ssn } from './ssn.js';
import { API_KEY_TRIGGERS, apiKey } from './vendor.js';

/**
 * One pass over the bytes for all detectors. A table names the few bytes at which something can be found (`@`, the first
 * digit of a run, `:` ...); all others cost one look-up. A detector is called at such a byte and looks around it, a bounded
 * way or to the end of what it found, so the time is linear in the size whatever the text.
 */
const NOTHING = 0;
const DIGIT = 1;
const AT = 2;
const JWT = 3;
const DASH = 4;
const COLON = 5;
const EQUALS = 6;
const KEY = 7;

const TRIGGERS = new Uint8Array(256);
for (const byte of API_KEY_TRIGGERS) TRIGGERS[byte] = KEY;
TRIGGERS.fill(DIGIT, 0x30, 0x3a);
TRIGGERS[0x40] = AT;
TRIGGERS[0x4a] = JWT;
TRIGGERS[0x2d] = DASH;
TRIGGERS[0x3a] = COLON;
TRIGGERS[0x3d] = EQUALS;

/**
 * Everything sensitive in the UTF-8 text from `start` to `end`, which is one value: nothing outside of it is looked at, and
 * what would need context in prose counts if it is all of the value. In order and without overlaps; see `resolve`. With
 * `entities` only those count, also inside of others that do not.
 */
export function detect(
  bytes: Buffer,
  start = 0,
  end = bytes.length,
  entities?: { has(entity: Entity): boolean },
): readonly Finding[] {
  const found = candidates(bytes, start, end);
  if (found.length === 0) return NONE;
  return resolve(entities ? found.filter(({ entity }) => entities.has(entity)) : found);
}

/** What the detectors find, each for itself: in the order of the bytes that led there, and with overlaps. */
export function candidates(bytes: Buffer, start: number, end: number): readonly Finding[] {
  let found: Finding[] | undefined;
  let addresses: ConnectionStrings | undefined;
  for (let at = start; at < end; at++) {
    const trigger = TRIGGERS[bytes[at] as number];
    if (trigger === NOTHING) continue;
    let one: Finding | undefined;
    if (trigger === DIGIT) {
      let stop = at + 1;
      while (stop < end && isDigit(bytes[stop])) stop++;
      if (at > start && LETTER[bytes[at - 1] as number] === 1) {
        // Two letters, two digits; in hexadecimal text there are digits behind letters everywhere.
        if (stop - at > 1 && at - 1 > start && LETTER[bytes[at - 2] as number] === 1) one = iban(bytes, at, start, end);
      } else found = numbers(bytes, at, stop, start, end, found);
      at = stop - 1;
    } else if (trigger === AT) one = email(bytes, at, start, end);
    else if (trigger === COLON) {
      if (bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f)
        one = (addresses ??= new ConnectionStrings()).at(bytes, at, start, end);
      else one = assignment(bytes, at, start, end);
    } else if (trigger === EQUALS) one = assignment(bytes, at, start, end);
    else if (trigger === JWT) one = jwt(bytes, at, start, end);
    else {
      if (trigger === DASH && bytes[at + 1] === 0x2d) one = pem(bytes, at, start, end);
      one ??= apiKey(bytes, at, start, end);
    }
    if (one) (found ??= []).push(one);
  }
  return found ?? NONE;
}

function numbers(
  bytes: Buffer,
  at: number,
  stop: number,
  start: number,
  end: number,
  found: Finding[] | undefined,
): Finding[] | undefined {
  let result = found;
  let one = card(bytes, at, stop, start, end);
  if (one) (result ??= []).push(one);
  one = ssn(bytes, at, stop, start, end);
  if (one) (result ??= []).push(one);
  one = phone(bytes, at, stop, start, end);
  if (one) (result ??= []).push(one);
  return result;
}
