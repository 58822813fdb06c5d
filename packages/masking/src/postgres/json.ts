/** json and jsonb, leaf by leaf; the structure stays. Pure. */
import { isUtf8 } from 'node:buffer';
import { keyed, magnitude, maskText, partial } from '../modes.js';
import { endOfQuoted } from './quoted.js';
import type { CellMask, WireFormat, MaskOptions } from './types.js';

/** What becomes of a leaf: a JSON token, undefined when it stays. Strings come decoded, numbers as they are written. */
export type Leaf = (kind: 'string' | 'number' | 'boolean' | 'key', value: string) => string | undefined;

/**
 * json and jsonb (in binary a version byte 1 and the text): the structure stays, and each leaf is replaced. What is not JSON is
 * NULL. Keys stay as well unless `leaf` replaces them: they are names, in documents that are made as most are.
 */
export function jsonMask(leaf: Leaf, versioned: boolean): CellMask {
  return (bytes, start, end) => {
    const from = versioned ? start + 1 : start;
    if (from >= end || (versioned && bytes[start] !== 1) || !isUtf8(bytes.subarray(from, end))) return null;
    const text = bytes.toString('utf8', from, end);
    const result = rewritten(text, leaf);
    if (result === undefined || !isJson(result)) return null;
    if (result === text) return undefined;
    return Buffer.from(versioned ? `\u0001${result}` : result);
  };
}

export const isVersioned = (oid: number, format: WireFormat): boolean => oid === 3802 && format === 'binary';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const TOKEN = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]|[ \t\r\n]+/y;

/** The document with its leaves replaced, token by token; undefined at anything that is no token. A string before a colon is a key. */
export function rewritten(text: string, leaf: Leaf): string | undefined {
  let result = '';
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at);
    if (token === undefined || token === '') return undefined;
    at += token.length;
    result += replaced(token, text, at, leaf) ?? token;
  }
  return result;
}

function tokenAt(text: string, at: number): string | undefined {
  if (text[at] === '"') return text.slice(at, Math.max(at, endOfQuoted(text, at)));
  TOKEN.lastIndex = at;
  return TOKEN.exec(text)?.[0];
}

function replaced(token: string, text: string, next: number, leaf: Leaf): string | undefined {
  if (token[0] === '"') {
    COLON.lastIndex = next;
    const value = isJson(token) ? (JSON.parse(token) as string) : '';
    return leaf(COLON.test(text) ? 'key' : 'string', value);
  }
  if (token === 'true' || token === 'false') return leaf('boolean', token);
  return /^[-\d]/.test(token) ? leaf('number', token) : undefined;
}

const COLON = /[ \t\r\n]*:/y;

/** The leaves of a column that is masked as a whole. Numbers stay numbers; booleans, for which nothing is neutral, go. */
export function columnLeaf(options: MaskOptions): Leaf {
  const { mode } = options;
  return (kind, value) => {
    if (kind === 'key') return undefined;
    if (kind === 'boolean' || mode.type === 'null') return 'null';
    if (kind === 'string') {
      const text = maskText(value, options);
      return text === null ? 'null' : JSON.stringify(text);
    }
    if (mode.type === 'hash') return String(1 + keyed(options, value).readUIntBE(0, 6));
    if (mode.type === 'generalise') return magnitude(value);
    if (mode.type === 'partial' && /^\d{8,}$/.test(value)) {
      return String(Number(partial(value, mode.keepLast).replaceAll('*', '') || 0));
    }
    return '0';
  };
}
