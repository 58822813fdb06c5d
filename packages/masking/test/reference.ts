import type { Entity, Finding } from '../src/detectors/finding.js';

/**
 * The detectors again, as patterns that are tried at every position and as nothing else: slow, and meant to be read. What the
 * scanner finds is held against this. Texts are Latin-1 views of UTF-8 bytes, so that offsets are those of bytes.
 */
const A = 'A-Za-z0-9';
const BEYOND = '\\x80-\\xff';
const LOCAL = `[${A}.!#$%&'*+_{}~^?\\-${BEYOND}]`;
const LABEL = `[${A}${BEYOND}](?:[${A}_\\-${BEYOND}]*[${A}${BEYOND}])?`;

type Check = (text: string, all: string, from: number, to: number) => boolean;
const yes: Check = () => true;
const digits = (text: string): string => text.replaceAll(/\D/g, '');

function luhn(text: string): boolean {
  const values = Array.from(digits(text))
    .reverse()
    .map((one, n) => Number(one) * (n % 2 === 0 ? 1 : 2));
  return values.map((value) => (value > 9 ? value - 9 : value)).reduce((sum, value) => sum + value, 0) % 10 === 0;
}

/** [first digits from, to, lengths] */
const ISSUERS: readonly (readonly [string, string, readonly number[]])[] = [
  ['4', '4', [13, 16, 19]],
  ['51', '55', [16]],
  ['2221', '2720', [16]],
  ['34', '34', [15]],
  ['37', '37', [15]],
  ['6011', '6011', [16, 17, 18, 19]],
  ['644', '649', [16, 17, 18, 19]],
  ['65', '65', [16, 17, 18, 19]],
  ['3528', '3589', [16, 17, 18, 19]],
  ['300', '305', [14, 16, 17, 18, 19]],
  ['36', '36', [14, 16, 17, 18, 19]],
  ['38', '39', [14, 16, 17, 18, 19]],
  ['62', '62', [16, 17, 18, 19]],
  ['81', '81', [16, 17, 18, 19]],
  ...['5018', '5020', '5038', '5893', '6304', '6759', '6761', '6762', '6763'].map((one): [string, string, number[]] => [
    one,
    one,
    [13, 14, 15, 16, 17, 18, 19],
  ]),
  ['2200', '2204', [16, 17, 18, 19]],
  ['60', '60', [16]],
  ['82', '82', [16]],
  ['508', '508', [16]],
];
const isCard: Check = (text) =>
  luhn(text) &&
  ISSUERS.some(([from, to, sizes]) => {
    const first = digits(text).slice(0, from.length);
    return first >= from && first <= to && sizes.includes(digits(text).length);
  });

const isMod97: Check = (text) => {
  const plain = text.replaceAll(/[ -]/g, '').toUpperCase();
  const number = Array.from(plain.slice(4) + plain.slice(0, 4), (one) => Number.parseInt(one, 36)).join('');
  return BigInt(number) % 97n === 1n;
};
const IBAN_SIZES: Readonly<Record<string, number>> = {
  GB: 22,
  DE: 22,
  FR: 27,
  NL: 18,
  CH: 21,
  NO: 15,
  MT: 31,
  AT: 20,
  BE: 16,
  SA: 24,
  ES: 24,
};

const alone: Check = (_, all, from, to) =>
  /^[ \t\r\n\f\v\0"'`<>]*$/.test(all.slice(0, from)) && /^[ \t\r\n\f\v\0"'`<>]*$/.test(all.slice(to));
const SSN_WORD = /(?:^|[^a-z])(?:ssn|itin|tin|social[ _-]?security|soc[ _-]?sec|tax[ _-]?id|taxpayer)[^0-9]{0,20}$/i;
const named: Check = (_, all, from) => SSN_WORD.test(all.slice(Math.max(0, from - 40), from));
const issued: Check = (text) =>
  /^(?!000|666)(?:[0-8]\d\d-(?!00)\d\d|9\d\d-(?:[5-9]\d)(?<!66|67|89|93))-(?!0000)\d{4}$/.test(text);

interface Rule {
  readonly entity: Entity;
  readonly pattern: RegExp;
  readonly check: Check;
}
const rule = (entity: Entity, pattern: string, check: Check = yes): Rule => ({
  entity,
  pattern: new RegExp(pattern, 'y'),
  check,
});

const NUMBER = `(?<![${A}])(?<!\\d\\.)`;
const NUMBER_END = `(?![${A}])(?!\\.\\d)`;
const PART = `(?<![${A}])(?<![${A}][-./])`;
const PART_END = `(?![${A}])(?![-.][${A}])`;
const SEPARATOR = '( |-|\\.|/|\\xc2\\xa0)';

const JOINED_BY = (sizes: readonly string[]): string =>
  `${NUMBER}\\d${sizes[0]}${SEPARATOR}${sizes
    .slice(1)
    .map((size) => `\\d${size}`)
    .join('\\1')}${NUMBER_END}`;

const isMail: Check = (text, all, from, to) =>
  !/@\d+x\.[^@]{1,4}$/.test(text) && !(text.startsWith('git@') && all[to] === ':' && from >= 0);
const isVaried =
  (body: number): Check =>
  (text) =>
    new Set(text.slice(body)).size >= 6;
const URL64 = `[${A}_-]`;

const RULES: readonly Rule[] = [
  rule(
    'EMAIL',
    `(?:(?<=(?:^|[^${LOCAL.slice(1)})(?:(?![${A}_${BEYOND}])${LOCAL})*)[${A}_${BEYOND}]${LOCAL}*|(?<![${A}])"(?=[^"]*[${A}])[^"\\x00-\\x1f]{1,61}")` +
      `@${LABEL}(?:\\.${LABEL})*\\.[A-Za-z${BEYOND}][${A}_\\-${BEYOND}]*[${A}${BEYOND}]`,
    isMail,
  ),
  rule('CREDIT_CARD', `${NUMBER}\\d{13,19}${NUMBER_END}`, isCard),
  ...[
    ['{4}', '{4}', '{4}', '{4}'],
    ['{4}', '{4}', '{4}', '{4}', '{1,3}'],
    ['{4}', '{4}', '{4}', '{1,3}'],
    ['{4}', '{6}', '{5}'],
    ['{4}', '{6}', '{4}'],
  ].map((sizes) => rule('CREDIT_CARD', JOINED_BY(sizes), isCard)),
  rule('CREDIT_CARD', `${NUMBER}\\d${SEPARATOR}(?:\\d\\1){11,17}\\d${NUMBER_END}`, isCard),
  rule(
    'US_SSN',
    `${PART}\\d{3}([- ])\\d\\d\\1\\d{4}${PART_END}`,
    (text, all, from, to) => issued(text, all, from, to) || alone(text, all, from, to) || named(text, all, from, to),
  ),
  rule('US_SSN', `${PART}\\d{9}${PART_END}`, named),
  ...Object.entries(IBAN_SIZES).map(([country, size]) => {
    const letters = Array.from(country, (one) => `[${one}${one.toLowerCase()}]`).join('');
    return rule('IBAN', `(?<![${A}])${letters}\\d\\d(?:[ -]?[${A}]){${size - 4}}(?![${A}])`, isMod97);
  }),
  rule('JWT', `(?<![${A}_-])eyJ${URL64}*\\.(?:${URL64}+|(?=\\.))(?:\\.${URL64}*){0,3}`, (text) =>
    /"alg"\s*:/.test(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString('latin1')),
  ),
  rule(
    'PRIVATE_KEY',
    '(?<!-)-----BEGIN ((?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?)-----(?:[^]*?-----END \\1-----|[^]*)',
  ),
  rule('API_KEY', `(?<![${A}_])A[KS]IA[A-Z0-9]{16}(?![${A}])`, isVaried(4)),
  rule('API_KEY', `(?<![${A}_])gh[pousr]_[${A}]{36,255}(?![${A}])`, isVaried(4)),
  rule('API_KEY', `(?<![${A}_])AIza${URL64}{35}(?!${URL64})`, isVaried(4)),
  rule('API_KEY', `(?<![${A}_])glpat-${URL64}{20,255}(?!${URL64})`, isVaried(6)),
];

const PHONE_WORD =
  /(?:^|[^a-z])(?:tele)?(?:phone|fon|tel|mobile|mob|cell|fax|call|whatsapp|sms|handy)[^0-9a-z+][^0-9+]{0,12}$/i;
const AMERICAN = new RegExp(`[2-9]\\d\\d(?:\\)[ .-]?|[ .-])[2-9]\\d\\d[ .-]\\d{4}(?![${A}])(?!-[${A}])`, 'y');
const GROUPS = /\d+(?:[ \-./()]{1,2}\d+)*/y;

/** Telephone numbers, whose rules are alternatives of each other and so no patterns of their own. */
function phones(text: string): Finding[] {
  const found: Finding[] = [];
  const add = (from: number, end: number): void => {
    const open = text[from - 1] === '(' && text.slice(from, end).includes(')');
    found.push({ entity: 'PHONE', start: open ? from - 1 : from, end });
  };
  for (const { 0: run, index: at } of text.matchAll(/\d+/g)) {
    const before = text.slice(0, at);
    const plus = before.endsWith('+');
    const part = /[A-Za-z0-9][-./]$/.test(before) && !/(?:^|[^A-Za-z0-9])1[-./]$/.test(before);
    if (/[A-Za-z0-9]\+?$/.test(before) || (!plus && part) || run.length > 15) continue;
    const word = PHONE_WORD.test(before.slice(-32));
    AMERICAN.lastIndex = at;
    const american = plus ? undefined : AMERICAN.exec(text)?.[0];
    if (american !== undefined) {
      const end = at + american.length;
      if (american[3] !== ' ' || word || alone(american, text, at, end)) {
        const open = before.endsWith('(') && american[3] === ')' ? '(' : '';
        const trunk = /(?<![A-Za-z0-9])1[ .-]$/.exec(before.slice(0, at - open.length))?.[0] ?? '';
        found.push({ entity: 'PHONE', start: at - open.length - trunk.length, end });
        continue;
      }
    }
    GROUPS.lastIndex = at;
    let number = GROUPS.exec(text)?.[0] ?? '';
    while (digits(number).length > 15) number = number.replace(/[^\d]+\d+$/, '');
    const size = digits(number).length;
    const end = at + number.length;
    if (size < 7 || /^[A-Za-z0-9]/.test(text.slice(end))) continue;
    const fraction = /^\d+[^\d]?\.\d+$/.test(number);
    const abroad = /^00[1-9]\d{0,2}(?!\d)/.test(text.slice(at)) && size >= 11;
    const national =
      number.startsWith('0') &&
      size >= 9 &&
      size <= 12 &&
      /\D/.test(number) &&
      !fraction &&
      alone(number, text, at, end);
    if (plus && !number.startsWith('0') && size >= 8 && !fraction) add(at - 1, end);
    if (!plus && (abroad || national || word)) add(at, end);
  }
  return found;
}

/** What these rules know; the scanner knows more. */
export const isCovered = ({ entity }: Finding, text: string): boolean =>
  entity === 'IBAN'
    ? Object.hasOwn(IBAN_SIZES, text.slice(0, 2).toUpperCase())
    : entity === 'API_KEY'
      ? /^(?:A[KS]IA|gh[pousr]_|AIza|glpat-)/.test(text)
      : entity === 'PHONE' || RULES.some((one) => one.entity === entity);

/** Every match of every rule at every position, the longest for each entity and start. */
export function slowly(text: string): Finding[] {
  const found = new Map<string, Finding>();
  for (const { entity, pattern, check } of RULES) {
    for (let start = 0; start < text.length; start++) {
      pattern.lastIndex = start;
      const match = pattern.exec(text)?.[0];
      if (match === undefined || !check(match, text, start, start + match.length)) continue;
      let end = start + match.length;
      if (entity === 'JWT' && match.endsWith('.') && match.split('.').length !== 3) end--;
      const key = `${entity} ${start}`;
      if (end > (found.get(key)?.end ?? 0)) found.set(key, { entity, start, end });
    }
  }
  return [...found.values(), ...phones(text)];
}
