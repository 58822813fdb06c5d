/**
 * Character references of HTML and XML. Owns: what a text with them says, byte by byte, and how a text is written so. Does not: know all
 * names of HTML, but those that stand for ASCII, for blanks and for nothing.
 */
import type { Said } from './escapes.js';

const AND = 0x26;
/** `&CounterClockwiseContourIntegral;` is the longest there is; numbers may have zeros before them. */
const MAX_REFERENCE_BYTES = 40;
const NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    amp: '&',
    AMP: '&',
    lt: '<',
    LT: '<',
    gt: '>',
    GT: '>',
    quot: '"',
    QUOT: '"',
    apos: "'",
    commat: '@',
    period: '.',
    colon: ':',
    sol: '/',
    bsol: '\\',
    lowbar: '_',
    UnderBar: '_',
    plus: '+',
    equals: '=',
    num: '#',
    percnt: '%',
    dollar: '$',
    excl: '!',
    quest: '?',
    lpar: '(',
    rpar: ')',
    comma: ',',
    semi: ';',
    ast: '*',
    midast: '*',
    lsqb: '[',
    lbrack: '[',
    rsqb: ']',
    rbrack: ']',
    lcub: '{',
    lbrace: '{',
    rcub: '}',
    rbrace: '}',
    verbar: '|',
    vert: '|',
    VerticalLine: '|',
    grave: '`',
    DiacriticalGrave: '`',
    Hat: '^',
    hyphen: '-',
    dash: '-',
    nbsp: ' ',
    NonBreakingSpace: ' ',
    Tab: '\t',
    NewLine: '\n',
    shy: '',
    zwj: '',
    zwnj: '',
    ZeroWidthSpace: '',
    NoBreak: '',
  }),
);

/** What a text says. A reference that is not known stands as it is written. */
export function saidByMarkup(raw: Buffer): Said {
  if (!raw.includes(AND)) return { bytes: raw, at: (position) => position };
  const bytes = Buffer.allocUnsafe(raw.length);
  const places = new Int32Array(raw.length + 1);
  let to = 0;
  for (let from = 0; from < raw.length; ) {
    const found = raw[from] === AND ? reference(raw, from) : undefined;
    if (!found) {
      places[to] = from;
      bytes[to++] = raw[from++] as number;
      continue;
    }
    places.fill(from, to, to + found.bytes.length);
    found.bytes.copy(bytes, to);
    to += found.bytes.length;
    from = found.end;
  }
  places[to] = raw.length;
  return { bytes: bytes.subarray(0, to), at: (position) => places[position] as number };
}

function reference(raw: Buffer, from: number): { readonly bytes: Buffer; readonly end: number } | undefined {
  const text = raw.toString('latin1', from, from + MAX_REFERENCE_BYTES);
  const [whole, digits, hex, name] =
    /^&(?:#0*([0-9]{1,7});?|#[xX]0*([0-9a-fA-F]{1,6});?|([A-Za-z]{2,20});)/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const said =
    name === undefined
      ? letter(digits === undefined ? Number.parseInt(hex ?? '', 16) : Number(digits))
      : NAMES.get(name);
  if (said === undefined) return undefined;
  const bytes = Buffer.from(said);
  return bytes.length <= whole.length ? { bytes, end: from + whole.length } : undefined;
}

/** Of a code point; blanks of all kinds are one. */
function letter(point: number): string | undefined {
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
  if (point === 0xa0) return ' ';
  return point === 0xad || (point >= 0x200b && point <= 0x200d) || point === 0xfeff ? '' : String.fromCodePoint(point);
}

const SIGNS: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const inMarkup = (text: string): Buffer =>
  Buffer.from(text.replaceAll(/[&<>"']/g, (sign) => SIGNS[sign] ?? sign));
