/** From where on a line that is not over could still become a finding. Pure. */
import { ALNUM, BASE64URL, skip } from '../detectors/bytes.js';
import { detect, type Entity } from '../detectors/index.js';
import { VENDORS } from '../detectors/vendor.js';

/** What may follow could make a finding of something that starts here. */
export interface OpenFinding {
  /** Position in the line, its end when nothing is open. */
  readonly from: number;
  /** It is nearly certain to be a secret, and not only something that could become one. */
  readonly sure: boolean;
}

/** A value that every detector of assignments takes for a secret. */
const PROBE = Buffer.from('Zq7xK9mP2wR4tY8u');
const PROBED: ReadonlySet<Entity> = new Set(['SECRET']);
/** No number, with its separators, is longer. Bytes. */
const MAX_NUMBER_BYTES = 64;

/**
 * From where on a line that is not at its end has to be kept back: whatever starts before that is what it is, whatever
 * follows. `start` is where the line starts in `bytes`.
 */
export function openFrom(bytes: Buffer, start: number, entities: { has(entity: Entity): boolean }): OpenFinding {
  const end = bytes.length;
  let from = end;
  let sure = false;
  const keep = (at: number, certain = false): void => {
    if (at < from) from = at;
    if (certain && at < end) sure = true;
  };
  let token = end;
  while (token > start && !isBlank(bytes[token - 1] as number)) token--;
  if (token < end) {
    if (entities.has('EMAIL') || entities.has('CONNECTION_STRING')) keep(token);
    if (entities.has('CONNECTION_STRING') && /:\/\/[^/]*:/.test(bytes.toString('latin1', token, end)))
      keep(token, true);
    if (entities.has('API_KEY') || entities.has('JWT')) {
      const [at, certain] = keyFrom(bytes, token);
      keep(at, certain);
    }
  }
  const tail = bytes.toString('latin1', Math.max(start, end - MAX_NUMBER_BYTES), end);
  const behind = (match: RegExpExecArray | null): number => (match ? end - tail.length + match.index : end);
  if (NUMBERS.some((entity) => entities.has(entity)))
    keep(behind(/[+(]{0,2}\d[\d +()./\xc2\xa0-]*$|[+(]+$/.exec(tail)));
  if (entities.has('IBAN')) {
    keep(behind(/(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}[A-Za-z0-9 -]*$|(?<![A-Za-z0-9])[A-Za-z]{1,2}\d?$/.exec(tail)));
  }
  if (entities.has('EMAIL')) keep(behind(/"[^"]*"?[^\s"]*$/.exec(tail)));
  if (entities.has('PRIVATE_KEY')) {
    const header = /-----BEGIN [A-Z0-9 ]*-*$/.exec(tail);
    keep(behind(header ?? /-----B?E?G?I?N?$|-{1,4}$/.exec(tail)), header !== null);
  }
  // Only behind one of these signs is a value given to a name.
  if (entities.has('SECRET') && (bytes.includes(0x3d, start) || bytes.includes(0x3a, start))) {
    const probe = Buffer.concat([bytes, PROBE]);
    const last = detect(probe, 0, probe.length, PROBED).at(-1);
    if (last && last.end === probe.length && last.start <= end) keep(last.start, last.start < end);
    // `password =`: the blanks behind the sign are nothing to keep, and the value is not there yet.
  }
  return { from, sure };
}

const NUMBERS: readonly Entity[] = ['CREDIT_CARD', 'PHONE', 'US_SSN'];
/** What ends every finding that is a word. */
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0 || (byte >= 0x09 && byte <= 0x0d);

/** Where in the last word a key with a known start could begin, and whether that start is complete. */
function keyFrom(bytes: Buffer, token: number): [at: number, sure: boolean] {
  const end = bytes.length;
  let tokens = end;
  while (tokens > token && (BASE64URL[bytes[tokens - 1] as number] === 1 || bytes[tokens - 1] === 0x2e)) tokens--;
  for (let at = token; at < end; at++) {
    if (at > token && (ALNUM[bytes[at - 1] as number] === 1 || bytes[at - 1] === 0x5f)) continue;
    const start = bytes.toString('latin1', at, Math.min(end, at + 16));
    for (const { prefix, body, most } of VENDORS) {
      if (prefix.startsWith(start)) return [at, false];
      if (!start.startsWith(prefix)) continue;
      const to = skip(bytes, at + prefix.length, Math.min(end, at + prefix.length + most + 3), body);
      if (to >= end - 1 && to - at - prefix.length <= most + 2) return [at, true];
    }
    if (at >= tokens && 'eyJ'.startsWith(start.slice(0, 3))) return [at, start.length > 8];
  }
  return [end, false];
}
