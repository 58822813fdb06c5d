/**
 * OpenAPI documents. Owns: which operation of one a request is, and which names it marks as sensitive. Does not: read files, or check a
 * request against its schemas.
 */
import { type Template, compileTemplate, fit } from './path.js';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

interface PathOperations {
  readonly template: Template;
  /** By method, lower case. */
  readonly ids: ReadonlyMap<string, string>;
}

/** The operations that a document describes. */
export class OpenApi {
  readonly #operations: readonly PathOperations[];
  /** Places of all properties that a schema marks with `x-sensitive: true` or `format: password`: `**` and the name. */
  readonly marked: readonly string[];

  /** @throws TypeError with a sentence for what is no OpenAPI document of version 3 */
  constructor(document: unknown) {
    const { openapi, paths } = objectOf(document);
    if (typeof openapi !== 'string' || !openapi.startsWith('3.'))
      throw new TypeError('this is no OpenAPI document of version 3');
    this.marked = [...markedIn(document)].map((name) => `**/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    // More text before parameters first: `/users/me` is meant before `/users/{id}` (OpenAPI 3.1, Paths Object).
    this.#operations = Object.entries(objectOf(paths))
      .map(([path, item]) => operation(path, objectOf(item)))
      .sort((a, b) => parameters(a.template) - parameters(b.template));
  }

  /** `operationId`, or method and template where it has none; undefined: the document does not have it. `suffixes`: see `fit`. */
  find(method: string, segments: readonly string[], suffixes?: 'alike'): string | undefined {
    for (const { template, ids } of this.#operations) {
      if (!fit(template, segments, suffixes)) continue;
      const id = ids.get(method.toLowerCase());
      if (id !== undefined) return id;
    }
    return undefined;
  }

  get size(): number {
    return this.#operations.length;
  }
}

function operation(path: string, item: Readonly<Record<string, unknown>>): PathOperations {
  const ids = METHODS.flatMap((method): [string, string][] => {
    if (item[method] === undefined) return [];
    const { operationId } = objectOf(item[method]);
    return [[method, typeof operationId === 'string' ? operationId : `${method.toUpperCase()} ${path}`]];
  });
  try {
    return { template: compileTemplate(path), ids: new Map(ids) };
  } catch (error) {
    throw new TypeError(`the path "${path}" of the OpenAPI document cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Names of properties whose schema says that they are sensitive, wherever in the document. */
function markedIn(document: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set<unknown>();
  const waiting = [document];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (typeof one !== 'object' || one === null || seen.has(one)) continue;
    seen.add(one);
    for (const [name, schema] of Object.entries(objectOf((one as { properties?: unknown }).properties)))
      if (isMarked(schema, document)) names.add(name);
    waiting.push(...Object.values(one));
  }
  return names;
}

/** By itself, or by what it refers to within the document. */
function isMarked(schema: unknown, document: unknown): boolean {
  const { format, $ref, items, 'x-sensitive': sensitive } = objectOf(schema);
  if (sensitive === true || format === 'password') return true;
  const target = typeof $ref === 'string' ? referred(document, $ref) : undefined;
  const of = objectOf(target ?? items);
  return of['x-sensitive'] === true || of['format'] === 'password';
}

function referred(document: unknown, reference: string): unknown {
  if (!reference.startsWith('#/')) return undefined;
  const steps = reference.slice(2).split('/');
  return steps.reduce<unknown>((at, step) => objectOf(at)[step.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}

const parameters = ({ segments }: Template): number => segments.filter(({ type }) => type !== 'text').length;

const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
