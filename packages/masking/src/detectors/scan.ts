/** One pass over a text for all detectors. Owns: at which bytes which detector is asked. Does not: decide what is a finding. */
import { Assignments, kindOfName } from './assignment.js';
import { ALNUM, byteClass, DIGITS, isDigit, LETTER, skip } from './bytes.js';
import { card } from './card.js';
import { ConnectionStrings } from './connection.js';
import { email } from './email.js';
import { type Entity, type Finding, NONE, resolve } from './finding.js';
import { iban } from './iban.js';
import { jwt } from './jwt.js';
import { PrivateKeys } from './pem.js';
import { phone } from './phone.js';
import { ssn } from './ssn.js';
import { API_KEY_TRIGGERS, apiKey } from './vendor.js';

/**
 * One pass over the bytes for all detectors. A table names the few bytes at which something can be found (`@`, `:`, a letter
 * of a vendor's prefix ...); all others cost one look-up. A detector is called at such a byte and looks around it: a bounded
 * way, or up to a byte at which its next look begins, or it remembers for the rest of the scan what it has seen. So the time
 * is linear in the size whatever the text, which work.test.ts counts.
 *
 * Letters and digits come in tokens. A number counts only where a token starts with it, and an IBAN is one from its start:
 * what follows in the same token, as in hexadecimal text, is passed over but for the letters of prefixes.
 */
const NOTHING = 0;
const DIGIT = 1;
const AT = 2;
const JWT = 3;
const DASH = 4;
const COLON = 5;
const EQUALS = 6;
const KEY = 7;
const WORD = 8;
const OUTSIDE = 9;

/** By the byte where a token may start, and by the byte within one. */
const STARTS = new Uint8Array(256);
const WITHIN = new Uint8Array(256).fill(OUTSIDE);
for (let byte = 0; byte < 256; byte++) {
  if (ALNUM[byte] === 1) WITHIN[byte] = NOTHING;
  if (LETTER[byte] === 1) STARTS[byte] = WORD;
}
for (const byte of API_KEY_TRIGGERS) (ALNUM[byte] === 1 ? WITHIN : STARTS)[byte] = KEY;
WITHIN[0x4a] = JWT;
STARTS.fill(DIGIT, 0x30, 0x3a);
STARTS[0x40] = AT;
STARTS[0x2d] = DASH;
STARTS[0x3a] = COLON;
STARTS[0x3d] = EQUALS;

/**
 * Everything sensitive in the UTF-8 text from `start` to `end`, which is one value: nothing outside of it is looked at, and
 * what would need context in prose counts if it is all of the value. In order and without overlaps; see `resolve`. With
 * `entities` only those count, also inside of others that do not.
 */
export function detect(bytes: Buffer, start = 0, end = bytes.length, entities: Entities = ALL): readonly Finding[] {
  // Not behind the scan: where a detector throws, what was found before belongs to no other value. Only where there is something:
  // setting the length of an array costs as much as looking through a short value.
  if (FOUND.length > 0) FOUND.length = 0;
  scan(bytes, start, end, entities, true, FOUND);
  return FOUND.length === 0 ? NONE : resolve(FOUND.slice());
}

/** Most values have nothing in them, and nothing is allocated for those. */
const FOUND: Finding[] = [];

/** What the detectors find, each for itself: in the order of the bytes that led there, and with overlaps. */
export function candidates(bytes: Buffer, start: number, end: number): readonly Finding[] {
  const found: Finding[] = [];
  scan(bytes, start, end, ALL, false, found);
  return found;
}

type Entities = { has(entity: Entity): boolean };
const ALL: Entities = { has: () => true };

/** `covered`: what can only be part of a number that was found already may be left out. */
function scan(bytes: Buffer, start: number, end: number, entities: Entities, covered: boolean, found: Finding[]): void {
  let addresses: ConnectionStrings | undefined;
  let assignments: Assignments | undefined;
  let privateKeys: PrivateKeys | undefined;
  for (let at = start; at < end; ) {
    const trigger = STARTS[bytes[at] as number];
    if (trigger === NOTHING) {
      at++;
      continue;
    }
    if (trigger === DIGIT) {
      const stop = skip(bytes, at + 1, end, DIGITS_ONLY);
      const kinds = BY_LENGTH[Math.min(stop - at, 20)] as number;
      if ((kinds & CARD) !== 0) take(found, entities, card(bytes, at, stop, start, end));
      if ((kinds & SSN) !== 0) take(found, entities, ssn(bytes, at, stop, start, end));
      if ((kinds & PHONE) !== 0) take(found, entities, phone(bytes, at, stop, start, end));
      const last = found.length === 0 ? undefined : found[found.length - 1];
      // A number up to the end of the value: among its digits and separators nothing starts that would reach beyond it.
      if (covered && last?.end === end && NUMBERS.has(last.entity)) return;
      at = stop;
    } else if (trigger === WORD) {
      // Two letters, two digits.
      if (LETTER[bytes[at + 1] as number] === 1 && isDigit(bytes[at + 2]) && isDigit(bytes[at + 3])) {
        take(found, entities, iban(bytes, at + 2, start, end));
      }
    } else {
      if (trigger === AT) take(found, entities, email(bytes, at, start, end));
      else if (trigger === COLON && bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f) {
        take(found, entities, (addresses ??= new ConnectionStrings()).at(bytes, at, start, end));
      } else if (trigger === COLON || trigger === EQUALS) {
        const kind = kindOfName(bytes, at, start);
        if (kind) take(found, entities, (assignments ??= new Assignments()).at(bytes, at, end, kind));
      } else if (trigger === DASH && bytes[at + 1] === 0x2d) {
        take(
          found,
          entities,
          (privateKeys ??= new PrivateKeys()).at(bytes, at, start, end) ?? apiKey(bytes, at, start, end),
        );
      } else take(found, entities, apiKey(bytes, at, start, end));
      at++;
      continue;
    }
    for (; at < end; at++) {
      const inner = WITHIN[bytes[at] as number];
      if (inner === NOTHING) continue;
      if (inner === OUTSIDE) break;
      take(found, entities, inner === JWT ? jwt(bytes, at, start, end) : apiKey(bytes, at, start, end));
    }
  }
}

function take(found: Finding[], entities: Entities, one: Finding | undefined): void {
  if (one && entities.has(one.entity)) found.push(one);
}

const CARD = 1;
const SSN = 2;
const PHONE = 4;
/** Which kinds of number a run of so many digits can begin. */
const BY_LENGTH = Uint8Array.from({ length: 21 }, (_, size) => {
  const isCard = size === 1 || size === 4 || (size >= 13 && size <= 19);
  return (isCard ? CARD : 0) | (size === 3 || size === 9 ? SSN : 0) | (size <= 15 ? PHONE : 0);
});
const NUMBERS: ReadonlySet<Entity> = new Set(['CREDIT_CARD', 'US_SSN', 'PHONE']);
const DIGITS_ONLY = byteClass(DIGITS);
