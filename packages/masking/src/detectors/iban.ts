/** Detector of bank account numbers (IBAN). Pure. */
import { ALNUM, endsAt, startsAt } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * International bank account numbers (ISO 13616): country, length of that country, check by 97 (ISO/IEC 7064), in one piece or
 * with single spaces or dashes. Called at the first digit, which is the third character.
 */
export function iban(bytes: Buffer, digit: number, start: number, end: number): Finding | undefined {
  const at = digit - 2;
  if (at < start || !startsAt(bytes, at, start)) return undefined;
  const size = LENGTHS.get(String.fromCharCode(bytes[at] as number, bytes[at + 1] as number).toUpperCase());
  if (size === undefined) return undefined;
  let text = '';
  let to = at;
  while (to < end && text.length < size) {
    const byte = bytes[to] as number;
    if (ALNUM[byte] === 1) text += String.fromCharCode(byte);
    else if ((byte !== 0x20 && byte !== 0x2d) || ALNUM[bytes[to - 1] as number] === 0) return undefined;
    to++;
  }
  if (text.length < size || !endsAt(bytes, to, end) || !checks(text)) return undefined;
  return { entity: 'IBAN', start: at, end: to };
}

/** Letters count from A = 10; country and check digits go to the end; the whole is 1 modulo 97. */
function checks(text: string): boolean {
  const moved = text.slice(4) + text.slice(0, 4);
  let rest = 0;
  for (const character of moved) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** The IBAN registry, release 99. */
const LENGTHS = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 ' +
    'FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 ' +
    'LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 ' +
    'SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry): [string, number] => [entry.slice(0, 2), Number(entry.slice(2))]),
);
