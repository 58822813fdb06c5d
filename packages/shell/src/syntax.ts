/** What a text must not have for its reading to be the shell's. Owns: these refusals. Does not: parse (unbash). Pure. */
import type { SyntaxNode } from 'unbash';
import type { ShellDialect } from './setting.js';
import { isNumeric } from './words.js';

/** The text cannot be followed; the message says why, as the end of a sentence about it. */
export class Untold extends Error {}

/** Characters. A longer text is not looked at. */
const MAX_TEXT_CHARACTERS = 16 * 1024;
/** How deep brackets may be nested. */
const MAX_DEPTH = 40;

/** Whatever a shell could read otherwise than the grammar does, or cannot be read at all before it runs. */
export function check(text: string): void {
  if (text.length > MAX_TEXT_CHARACTERS) throw new Untold(`is longer than ${MAX_TEXT_CHARACTERS} characters`);
  if (text.includes('\0')) throw new Untold('has a zero byte in it, where a host would cut it off');
  if (/[\x01-\x08\x0b-\x1f\x7f]/.test(text)) throw new Untold('has control characters in it');
  if (text.includes('\ufffd')) throw new Untold('is not valid UTF-8');
  // `$`, a backslash, a newline and a name are an expansion to a shell, and not to the grammar.
  if (/\S\\\n/.test(text)) throw new Untold('goes on in the next line in the middle of a word');
  // Behind `<<-` bash joins such a line with the next one before it takes tabs away, and dash after that.
  if (/^[ \t]*\\\n/m.test(text)) throw new Untold('has a line that is a backslash alone');
  let depth = 0;
  let open = 0;
  for (const character of text) {
    if (character === '(' || character === '{' || character === '[') open = Math.max(open, ++depth);
    else if (character === ')' || character === '}' || character === ']') depth = Math.max(0, depth - 1);
  }
  if (open > MAX_DEPTH || /\\{4}`/.test(text)) throw new Untold('is nested too deep to be followed');
}

/** Why a piece of syntax is not taken at its word. */
export function oddity(node: SyntaxNode, dialect: ShellDialect): string | undefined {
  if (dialect === 'sh' && isBashOnly(node)) return 'is written in a way that sh and bash read differently';
  switch (node.type) {
    case 'Function':
      return `defines the function ${node.name.value.slice(0, 40)}, which may stand for any command`;
    case 'Coproc':
      return 'runs a coprocess';
    case 'ExtendedGlob':
      return 'has a pattern that not every shell reads';
    case 'LocaleString':
      return 'has a text that is translated when it runs';
    case 'ArithmeticExpansion':
    case 'ArithmeticCommand':
      return isNumeric(node.expression) ? undefined : ARITHMETIC;
    case 'ArithmeticFor':
      return ARITHMETIC;
    case 'CommandExpansion':
      if (node.text.startsWith('${')) return 'has an expansion that only some shells know';
      // Within a here-document, or the default of a variable, some leave that backslash away and others do not.
      return node.text.startsWith('`') && node.text.includes('\\"')
        ? 'has an escaped quote between backquotes'
        : undefined;
    case 'ParameterExpansion': {
      const { prefix, index, operation } = node;
      // In double quotes and here-documents it is a sign like others, and what stands behind it is expanded: for sh, and mostly for bash.
      if (node.text.includes("'")) return 'has a quote within an expansion, which shells read differently';
      if (prefix === '!' || (index && !/^(?:@|\*|\d+)$/.test(index.value))) return 'has an expansion that is evaluated';
      if (
        !operation ||
        operation.type === 'Default' ||
        operation.type === 'Remove' ||
        operation.type === 'Replace' ||
        operation.type === 'CaseModification'
      )
        return undefined;
      if (
        operation.type === 'Slice' &&
        /^\s?-?\d+$/.test(operation.offset.value) &&
        (!operation.length || /^-?\d+$/.test(operation.length.value))
      )
        return undefined;
      return 'has an expansion that is evaluated';
    }
    case 'TestBinary':
      return /^-(?:eq|ne|lt|le|gt|ge)$/.test(node.operator) &&
        ![node.left, node.right].every(({ value }) => /^(?:-?\d+|\$[?#$])$/.test(value))
        ? ARITHMETIC
        : undefined;
    case 'TestUnary':
      return node.operator === '-v' && !/^\w+$/.test(node.operand.value) ? ARITHMETIC : undefined;
    default:
      return undefined;
  }
}

const ARITHMETIC = 'computes with values that are evaluated, which can run commands';

function isBashOnly(node: SyntaxNode): boolean {
  switch (node.type) {
    case 'AnsiCQuoted':
    case 'LocaleString':
    case 'BraceExpansion':
    case 'ExtendedGlob':
    case 'ProcessSubstitution':
    case 'HereString':
    case 'TestCommand':
    case 'ArithmeticCommand':
    case 'ArithmeticFor':
    case 'Select':
    case 'Coproc':
    case 'Function':
    case 'ArrayValue':
    case 'FileDescriptorVariable':
    case 'Time':
      return true;
    case 'ArithmeticExpansion':
      return node.text.startsWith('$[');
    case 'Pipeline':
      return node.operators.includes('|&');
    case 'Redirect':
      return (
        node.operator.startsWith('&') || (node.operator === '>&' && !/^(?:\d+-?|-)$/.test(node.target?.value ?? ''))
      );
    case 'CaseItem':
      return node.terminator !== undefined && node.terminator !== ';;';
    case 'Assignment':
      return node.index !== undefined || node.append === true;
    case 'ParameterExpansion':
      return (
        node.prefix === '!' ||
        node.index !== undefined ||
        (node.operation !== undefined && node.operation.type !== 'Default' && node.operation.type !== 'Remove')
      );
    default:
      return false;
  }
}
