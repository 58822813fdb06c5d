/** What a word can become once the shell has expanded it. Pure. */
import type { ArithmeticExpression, Word, WordPart } from 'unbash';

/** What a word of a command line can become once the shell has expanded it. */
export interface WordValue {
  /** The whole argument where `known`, else what it certainly starts with. A glob stays a pattern. */
  readonly text: string;
  readonly known: boolean;
  readonly glob: boolean;
  /** It may become no argument or several, as an unquoted variable does. */
  readonly many: boolean;
}

/** What variables of the text can hold, where that is known: the words that it assigns to them itself. */
export type VariableWords = ReadonlyMap<string, readonly string[]>;

/** More combinations than this are not followed. */
const MAX_COMBINATIONS = 64;
const UNKNOWN: readonly WordValue[] = [{ text: '', known: false, glob: false, many: true }];

interface WordPiece {
  readonly texts: readonly string[];
  readonly known: boolean;
  readonly glob: boolean;
  readonly many: boolean;
}

/** Every argument that a word can become. */
export function valuesOf(word: Word, variables: VariableWords): readonly WordValue[] {
  const parts = word.parts;
  if (!parts) return [{ text: word.value, known: !hasOpenBlank(word.value), glob: false, many: false }];
  let values: readonly WordValue[] = [{ text: '', known: true, glob: false, many: false }];
  for (const part of parts) {
    const piece = pieceOf(part, variables);
    if (values.length * piece.texts.length > MAX_COMBINATIONS) return UNKNOWN;
    values = values.flatMap((value) => piece.texts.map((text) => joined(value, piece, text)));
  }
  return values;
}

const joined = (value: WordValue, piece: WordPiece, text: string): WordValue => ({
  text: value.known ? value.text + text : value.text,
  known: value.known && piece.known,
  glob: value.glob || piece.glob,
  many: value.many || piece.many,
});

/** Whether a byte of a character is one that some locales take for a blank (0x85, 0xA0): there the word would end. */
function hasOpenBlank(text: string): boolean {
  if (!/[^\0-\x7f]/.test(text)) return false;
  return (
    Buffer.from(text).some((byte) => byte === 0x85 || byte === 0xa0) ||
    /[\s\u200b-\u200f\u2028-\u202f]/.test(text.replaceAll(/[\0-\x7f]/g, ''))
  );
}

const literal = (...texts: readonly string[]): WordPiece => ({ texts, known: true, glob: false, many: false });
const dynamic = (many: boolean): WordPiece => ({ texts: [''], known: false, glob: false, many });

function pieceOf(part: WordPart, variables: VariableWords): WordPiece {
  switch (part.type) {
    case 'Literal':
      return hasOpenBlank(part.value) ? dynamic(true) : literal(part.value);
    case 'SingleQuoted':
      return literal(part.value);
    case 'AnsiCQuoted':
      // A newline behind a backslash stays for bash 5.2, and not for the grammar.
      return /^[\t\n\x20-\x7e]*$/.test(part.value) && !part.text.includes('\\\n')
        ? literal(part.value)
        : dynamic(false);
    case 'Glob':
      return { texts: [part.text], known: part.parts?.every(isPlain) ?? true, glob: true, many: true };
    case 'BraceExpansion':
      return braces(part.text);
    case 'SimpleExpansion':
    case 'ParameterExpansion':
      return variable(part, variables, false);
    case 'DoubleQuoted':
      return quoted(part.parts, variables);
    case 'ArithmeticExpansion':
      return literal('0');
    default:
      return dynamic(true);
  }
}

const isPlain = (part: WordPart): boolean => part.type === 'Literal' || part.type === 'SingleQuoted';

function quoted(parts: readonly WordPart[], variables: VariableWords): WordPiece {
  let texts: readonly string[] = [''];
  let glob = false;
  for (const part of parts) {
    const piece =
      part.type === 'Literal'
        ? literal(part.value)
        : part.type === 'ArithmeticExpansion'
          ? literal('0')
          : part.type === 'SimpleExpansion' || part.type === 'ParameterExpansion'
            ? variable(part, variables, true)
            : dynamic(false);
    glob ||= piece.glob;
    if (!piece.known || texts.length * piece.texts.length > MAX_COMBINATIONS)
      return { texts, known: false, glob, many: piece.many && !piece.known };
    texts = texts.flatMap((text) => piece.texts.map((more) => text + more));
  }
  return { texts, known: true, glob, many: false };
}

/** Values that split or glob when they stand unquoted. */
const SPLITS = /[^\w./:@%+,=-]/;

function variable(
  part: Extract<WordPart, { type: 'SimpleExpansion' | 'ParameterExpansion' }>,
  variables: VariableWords,
  isQuoted: boolean,
): WordPiece {
  const plain = part.type === 'SimpleExpansion' ? part.text.slice(1) : simpleName(part);
  // The status, the process and how many arguments there are: numbers.
  if (plain === '?' || plain === '$' || plain === '#') return literal('0');
  const every = plain === '@' || plain === '*' || plain === undefined;
  const known = every ? undefined : variables.get(plain);
  if (!known) return dynamic(!isQuoted || every);
  const piece: WordPiece = {
    texts: known,
    known: true,
    glob: known.some((text) => /[*?[]/.test(text)),
    many: !isQuoted,
  };
  return !isQuoted && known.some((text) => SPLITS.test(text) || text === '') ? dynamic(true) : piece;
}

const simpleName = (part: Extract<WordPart, { type: 'ParameterExpansion' }>): string | undefined =>
  part.prefix === undefined && part.index === undefined && part.operation === undefined ? part.parameter : undefined;

/** `{a,b}` and `{1..5}` of plain characters; what else braces can hold is not followed. */
function braces(text: string): WordPiece {
  const inner = text.slice(1, -1);
  if (/^[\w./@%+:-]*(?:,[\w./@%+:-]*)+$/.test(inner) && !inner.includes('..')) return literal(...inner.split(','));
  const [, from, to] = /^(\d{1,4})\.\.(\d{1,4})$/.exec(inner) ?? [];
  if (from === undefined || to === undefined || /^0\d/.test(from + ',') || /^0\d/.test(to)) return dynamic(true);
  const [low, high] = [Math.min(+from, +to), Math.max(+from, +to)];
  return high - low >= MAX_COMBINATIONS
    ? dynamic(true)
    : literal(...Array.from({ length: high - low + 1 }, (_, n) => `${low + n}`));
}

/** Arithmetic over numbers. A name in it is evaluated as arithmetic again, and its value can hold `a[$(command)]`. */
export function isNumeric(expression: ArithmeticExpression | undefined): boolean {
  switch (expression?.type) {
    case 'ArithmeticWord':
      return expression.parts === undefined
        ? /^\d+$/.test(expression.value)
        : expression.parts.every((part) => part.type === 'Literal' && /^\d*$/.test(part.value));
    case 'ArithmeticBinary':
      return isNumeric(expression.left) && isNumeric(expression.right);
    case 'ArithmeticUnary':
      return isNumeric(expression.operand);
    case 'ArithmeticTernary':
      return isNumeric(expression.test) && isNumeric(expression.consequent) && isNumeric(expression.alternate);
    case 'ArithmeticGroup':
      return isNumeric(expression.expression);
    default:
      return false;
  }
}
