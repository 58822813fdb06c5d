/**
 * OpenAPI documents. Owns: which operation of one a request is. Does not: read files, or check a request against its schemas.
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

  /** @throws TypeError with a sentence for what is no OpenAPI document of version 3 */
  constructor(document: unknown) {
    const { openapi, paths } = objectOf(document);
    if (typeof openapi !== 'string' || !openapi.startsWith('3.'))
      throw new TypeError('this is no OpenAPI document of version 3');
    // More text before parameters first: `/users/me` is meant before `/users/{id}` (OpenAPI 3.1, Paths Object).
    this.#operations = Object.entries(objectOf(paths))
      .map(([path, item]) => operation(path, objectOf(item)))
      .sort((a, b) => parameters(a.template) - parameters(b.template));
  }

  /** `operationId`, or method and template where it has none; undefined: the document does not have it. */
  find(method: string, segments: readonly string[]): string | undefined {
    for (const { template, ids } of this.#operations) {
      if (!fit(template, segments)) continue;
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

const parameters = ({ segments }: Template): number => segments.filter(({ type }) => type !== 'text').length;

const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
