/** A YAML text and where each of its values stands. Owns: lines, columns and written paths. Does not: what a value means. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml';
import type { Mistake, Path } from './mistake.js';

/** Line and column, both from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** A YAML text and where each of its values stands. */
export class SettingsDocument {
  /** What is wrong with the text as YAML. */
  readonly mistakes: readonly (TextPosition & { readonly message: string })[];
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    // Pretty errors would quote the line, which may hold a secret.
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const { errors, warnings } = this.#document;
    const mistakes = [...errors, ...warnings].map(({ pos, message }) => ({ ...this.#place(pos[0]), message }));
    // An object with such a key is not what it looks like to the code that reads it.
    visit(this.#document, {
      Pair: (_, { key }) => {
        if (!isScalar(key) || typeof key.value === 'object' || key.value === '__proto__') {
          const at = isNode(key) ? (key.range?.[0] ?? 0) : 0;
          mistakes.push({ ...this.#place(at), message: 'This cannot be the name of a setting' });
        }
      },
    });
    if (mistakes.length === 0) {
      try {
        this.value = this.#document.toJS() ?? {};
      } catch (error) {
        mistakes.push({ line: 1, column: 1, message: (error as Error).message });
      }
    }
    this.mistakes = mistakes;
  }

  /** Where a value stands: a plain one at itself, a list or map at its key, a missing one at what should hold it. */
  find(path: Path, what: Mistake['at'] = 'value'): TextPosition {
    let node: unknown = this.#document.contents;
    let place = this.#start(node) ?? 0;
    let rest = path;
    while (rest.length > 0) {
      if (isAlias(node)) node = node.resolve(this.#document);
      const step = isMap(node) ? ofMap(node, rest) : isSeq(node) ? ofList(node, rest) : undefined;
      if (step?.value === undefined) break;
      rest = rest.slice(step.used);
      node = step.value;
      const plain = !isCollection(node) && !(isScalar(node) && node.value === null);
      const atKey = rest.length === 0 ? what === 'key' || !plain : true;
      place = (atKey ? this.#start(step.key) : undefined) ?? this.#start(node) ?? place;
    }
    return this.#place(place);
  }

  #start(node: unknown): number | undefined {
    return isNode(node) ? node.range?.[0] : undefined;
  }

  #place(offset: number): TextPosition {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** Reads `policies.production[2].when`. */
export const parsePath = (text: string): Path =>
  Array.from(text.matchAll(/\[(\d+)\]|([^.[\]]+)/g), ([, index, name]) => (index ? Number(index) : (name ?? '')));

/** Writes it. */
export const formatPath = (path: Path): string =>
  path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${key}` : key), '');

interface PathStep {
  readonly key?: unknown;
  readonly value: unknown;
  /** How many parts of the path it took. */
  readonly used: number;
}

const ofList = (list: { items: unknown[] }, [index]: Path): PathStep => ({ value: list.items[Number(index)], used: 1 });

/** The pair that a path leads to. A name may contain dots, which a written path does not show: the longest name counts. */
function ofMap(map: { items: { key: unknown; value: unknown }[] }, path: Path): PathStep | undefined {
  for (let used = path.length; used > 0; used--) {
    const name = path.slice(0, used).join('.');
    const pair = map.items.find(({ key }) => isScalar(key) && String(key.value) === name);
    if (pair) return { key: pair.key, value: pair.value, used };
  }
  return undefined;
}
