/** Random chains of operators without parentheses, and the text of a tree with all of them. */
import type { Expression } from '@sluice/sql-mysql';
import type { MySqlFlavour } from '@sluice/testkit';

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ARITHMETIC = ['+', '-', '*', '/', 'DIV', '%', 'MOD', '&', '|', '^', '<<', '>>'];
const LOGIC = ['AND', 'OR', 'XOR', '&&', '||', '=', '<=>', '<>', '!=', '<', '<=', '>', '>='];
const PREDICATES = ['LIKE', 'NOT LIKE', 'REGEXP', 'NOT REGEXP', 'RLIKE'];
const PREFIXES = ['-', '~', '!', 'NOT ', 'BINARY ', '+'];
const TESTS = ['IS NULL', 'IS NOT NULL', 'IS TRUE', 'IS NOT FALSE', 'IS UNKNOWN'];

/** @returns gives another chain each time */
export function chain(seed: number, flavour: MySqlFlavour): () => string {
  const next = random(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)] as T;
  const operand = (): string => {
    const value = pick(['0', '1', '2', '3', '5', '7', 'NULL', "'a'", "'1'", "'ab'"]);
    return next() < 0.25 ? pick(PREFIXES) + value : value;
  };
  const step = (): string => {
    const kind = next();
    if (kind < 0.35) return `${pick(ARITHMETIC)} ${operand()}`;
    if (kind < 0.65) return `${pick(LOGIC)} ${operand()}`;
    if (kind < 0.78) return `${pick(PREDICATES)} ${operand()}`;
    if (kind < 0.86) return `${pick(['', 'NOT '])}BETWEEN ${operand()} AND ${operand()}`;
    if (kind < 0.93) return `${pick(['', 'NOT '])}IN (${operand()}, ${operand()})`;
    if (kind < 0.95 && flavour === 'mysql') return `COLLATE utf8mb4_bin`;
    return pick(TESTS);
  };
  return () => [operand(), ...Array.from({ length: 2 + Math.floor(next() * 4) }, step)].join(' ');
}

/** A tree as a text that leaves nothing to precedence. */
export function parenthesised(expression: Expression): string {
  switch (expression.kind) {
    case 'constant':
      return expression.type === 'string' ? `'${expression.value}'` : expression.value;
    case 'operation':
      return `(${operation(expression)})`;
    default:
      throw new Error(`A chain has no ${expression.kind}`);
  }
}

function operation({ operator, operands, collation }: Extract<Expression, { kind: 'operation' }>): string {
  const texts = operands.map(parenthesised);
  const [first = '', second = '', third = ''] = texts;
  switch (operator) {
    case 'minus':
      return `- ${first}`;
    case 'plus':
      return `+ ${first}`;
    case 'not':
    case '~':
    case 'binary':
      return `${operator} ${first}`;
    case 'collate':
      return `${first} collate ${collation ?? ''}`;
    case 'between':
    case 'not between':
      return `${first} ${operator} ${second} and ${third}`;
    case 'in':
    case 'not in':
      return `${first} ${operator} (${texts.slice(1).join(', ')})`;
    case 'concat':
      return `${first} || ${second}`;
    default:
      return operator.startsWith('is ') ? `${first} ${operator}` : texts.join(` ${operator} `);
  }
}
