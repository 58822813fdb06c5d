/**
 * What conditions can ask about a request by HTTP. Owns: the attributes `request` and `graphql`, and the functions `path`,
 * `query`, `header`, `body` and `bodies`. Does not: read a request, which @sluice/http-requests does.
 */
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import {
  BodyUnreadable,
  type GraphqlOperation,
  type Request,
  type Template,
  compileTemplate,
  stepsOf,
} from '@sluice/http-requests';
import { OPERATION_ALIKE, PATH_ALIKE } from './suffixes.js';

export const REQUEST_ATTRIBUTES = {
  request: {
    method: 'string',
    host: 'string',
    path: 'string',
    segments: 'list<string>',
    query: 'string',
    media: 'string',
    size: 'int',
    operation: 'string',
    upgrade: 'string',
    message: 'string',
    found: 'list<string>',
  },
  graphql: { operation: 'string', name: 'string', fields: 'list<string>' },
} as const;

/** What the attributes say where there is no request. */
const NO_REQUEST = {
  request: {
    method: '',
    host: '',
    path: '',
    segments: [],
    query: '',
    media: '',
    size: 0n,
    operation: '',
    upgrade: '',
    message: '',
    found: [],
  },
  graphql: { operation: '', name: '', fields: [] },
};

/** `found`: what detectors find in it, asked for only where a rule does. */
export function requestAttributes(request: Request | undefined, found?: () => readonly string[]): object {
  if (!request) return NO_REQUEST.request;
  const { method, host, path, query, media, operation, upgrade, message } = request;
  const size = BigInt(request.size);
  const segments = [...request.segments];
  return {
    method,
    host,
    path,
    segments,
    query,
    media,
    size,
    operation,
    upgrade,
    message,
    get found(): readonly string[] {
      return found ? [...found()] : [];
    },
  };
}

/** @throws BodyUnread where what GraphQL asks for is in a body that has not been read */
export function graphqlAttributes(request: Request | undefined): object {
  return request ? ofOperations(request.graphql) : NO_REQUEST.graphql;
}

function ofOperations(operations: readonly GraphqlOperation[] | BodyUnreadable): object {
  if (operations instanceof BodyUnreadable) return unreadable(operations);
  if (operations.length === 0) return NO_REQUEST.graphql;
  // Of several at once the one that does most: a rule about mutations is about those that come with a query as well.
  const most = operations.find(({ type }) => type === 'mutation') ?? operations[0];
  return {
    operation: most?.type ?? '',
    name: operations.map(({ name }) => name).join(' '),
    fields: [...new Set(operations.flatMap(({ fields }) => fields))],
  };
}

/** Whatever a rule asks, nobody knows the answer: "no" would let pass what it is there to refuse. */
function unreadable(error: BodyUnreadable): object {
  const attribute = {
    enumerable: true,
    get: (): never => {
      throw error;
    },
  };
  return Object.defineProperties({}, { operation: attribute, name: attribute, fields: attribute });
}

/** The request that the condition at work is about. Conditions are evaluated at once, one after the other. */
let current: Request | undefined;
/** So many values it may have of one list. */
let most = Infinity;

/** Values that a condition compares each with each: beyond that it would take seconds, during which nobody is served. */
const MAX_COMPARED = 1_000;

/** Runs `evaluate` with the functions being about this request. `compares`: see `comparesLists`. */
export function about<Result>(request: Request | undefined, compares: boolean, evaluate: () => Result): Result {
  current = request;
  most = compares ? MAX_COMPARED : Infinity;
  try {
    return evaluate();
  } finally {
    current = undefined;
  }
}

/** @throws BodyUnreadable */
function bounded(values: string[]): string[] {
  if (values.length <= most) return values;
  throw new BodyUnreadable(
    `The rules compare values of this request with each other, and it has ${values.length} of them where ${most} are compared.`,
  );
}

/** Lists that are as long as whoever sends a request makes them. */
const LISTS: ReadonlySet<unknown> = new Set(['bodies', 'query']);
const MACROS: ReadonlySet<unknown> = new Set(['all', 'exists', 'exists_one', 'filter', 'map']);

/** Whether it goes through such a list again for each value of one. */
export function comparesLists(node: ASTNode): boolean {
  if (node.op !== 'rcall' || !MACROS.has(node.args[0])) return false;
  const [, list, each] = node.args;
  return hasList(list) && hasList(each);
}

function hasList(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(hasList);
  if (typeof node !== 'object' || node === null || !('op' in node) || !('args' in node)) return false;
  const { op, args } = node as ASTNode;
  return (op === 'call' && LISTS.has((args as readonly unknown[])[0])) || hasList(args);
}

export const registerRequestFunctions = (environment: Environment): Environment =>
  environment
    .registerFunction('path(string): bool', (template: string) => parametersOf(template) !== undefined)
    .registerFunction(
      'path(string, string): string',
      (template: string, name: string) => parametersOf(template)?.[name] ?? '',
    )
    .registerFunction(
      `${PATH_ALIKE}(string): bool`,
      (template: string) => parametersOf(template, 'alike') !== undefined,
    )
    .registerFunction(
      `${PATH_ALIKE}(string, string): string`,
      (template: string, name: string) => parametersOf(template, 'alike')?.[name] ?? '',
    )
    .registerFunction(`${OPERATION_ALIKE}(): string`, () => current?.operationAlike ?? '')
    .registerFunction('query(string): list<string>', (name: string) => bounded(current?.queryValues(name) ?? []))
    .registerFunction('header(string): list<string>', (name: string) => current?.headerValues(name) ?? [])
    .registerFunction('body(string): string', (pointer: string) => current?.bodyValue(pointer) ?? '')
    .registerFunction('bodies(string): list<string>', (pointer: string) => bounded(current?.bodyValues(pointer) ?? []));

const parametersOf = (template: string, suffixes?: 'alike'): Readonly<Record<string, string>> | undefined =>
  current?.parameters(compiled(template), suffixes);

const MAX_COMPILED_TEMPLATES = 500;
const templates = new Map<string, Template>();

function compiled(source: string): Template {
  const known = templates.get(source);
  if (known) return known;
  const template = compileTemplate(source);
  if (templates.size >= MAX_COMPILED_TEMPLATES) templates.clear();
  templates.set(source, template);
  return template;
}

/** Why a call of one of the functions cannot be meant so, where its argument stands there: a phrase and where. */
export function faultIn(node: ASTNode): { readonly message: string; readonly offset: number } | undefined {
  if (node.op !== 'call') return undefined;
  const [name, [first, second]] = node.args;
  if (first?.op !== 'value' || typeof first.args !== 'string') return undefined;
  const check = CHECKS[name];
  try {
    const template = check?.(first.args);
    if (!template || second?.op !== 'value') return undefined;
    const known = template.segments.some((one) => one.type === 'parameter' && one.name === second.args);
    return known ? undefined : { message: `the template has no {${String(second.args)}}`, offset: second.range.start };
  } catch (error) {
    return { message: (error as Error).message, offset: first.range.start };
  }
}

const pointer = (text: string): undefined => void stepsOf(text);
const CHECKS: Readonly<Record<string, (text: string) => Template | undefined>> = {
  path: compiled,
  body: pointer,
  bodies: pointer,
};
