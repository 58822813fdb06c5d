/**
 * A server that reads requests as generously as one framework or another does, and does what they ask for: what the corpus proves itself
 * on. Lives here: the tricks, each with who has it. Does not: be of any other use.
 */
import { type IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, parse, execute, type DocumentNode, getOperationAST } from 'graphql';

const SECRET = 'AAAA-secret-of-the-test-AAAA';

/** What a request has done. */
export interface Done {
  deletes: boolean;
  promotes: boolean;
  shows: boolean;
}

const SCHEMA = buildSchema(`
  type Query { ping: String apiKey: String }
  type Mutation { ping: String deleteUser(id: Int): String removeUser(id: Int): String purgeUsers: String eraseUser(id: Int): String }
`);

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly type: string;
  readonly boundary: string | undefined;
}

/** Starts it. `run` sends one request as it is written and says what came of it. */
export async function startLenient(): Promise<{ port: number; last: () => Done; close: () => Promise<void> }> {
  let done: Done = { deletes: false, promotes: false, shows: false };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      done = { deletes: false, promotes: false, shows: false };
      // Servers differ, and one of them is behind the gateway: each way of reading it is tried.
      for (const path of pathsOf(request)) {
        for (const method of methodsOf(request, Buffer.concat(chunks))) {
          act(askedOf(request, path, method, Buffer.concat(chunks)), done);
        }
      }
      response.end(done.shows ? SECRET : 'done');
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, last: () => done, close: () => new Promise((resolve) => void server.close(() => resolve())) };
}

/**
 * Decoded once or twice (IIS, old Tomcats), cleaned of dots and slashes (nginx, Jetty), without parameters (Spring), by a header (Symfony, IIS),
 * without a suffix.
 */
function pathsOf(request: IncomingMessage): Set<string> {
  const [sent = ''] = (request.url ?? '').split('?', 1);
  const written = [sent, request.headers['x-original-url'], request.headers['x-rewrite-url']].flatMap(
    (one) => one ?? [],
  );
  const found = new Set<string>();
  for (const said of written) {
    const once = decoded(said);
    for (const path of [once, decoded(once)]) {
      for (const bare of [path, path.replaceAll(/;[^/]*/g, '')]) {
        for (const end of [bare, bare.replace(/\0.*$/s, ''), bare.replaceAll(/[\0\r\n]/g, '')])
          for (const one of [end, ...unsuffixed(end)]) found.add(cleaned(one));
      }
    }
  }
  return found;
}

/** Behind the last dot a format (Rails), behind the first whatever it is (Spring before 5.3); dots and blanks at the end (Windows). */
const unsuffixed = (path: string): string[] => {
  const [, start = '', last = '', slash = ''] = /^(.*?)([^/]*)(\/?)$/s.exec(path) ?? [];
  return [last.replace(/\.[^.]*$/, ''), last.replace(/\..*$/, ''), last.replace(/[. ]+$/, '')].map(
    (one) => `${start}${one}${slash}`,
  );
};

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function cleaned(path: string): string {
  const segments: string[] = [];
  for (const segment of path.toLowerCase().split(/[/\\]+/)) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

/** By header (Express, Rails), query and body (Rails, Laravel, Symfony). */
function methodsOf(request: IncomingMessage, body: Buffer): Set<string> {
  const said = new Set([request.method ?? '']);
  if (request.method !== 'POST') return said;
  for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override'])
    for (const one of [request.headers[name] ?? []].flat()) said.add(one.toUpperCase());
  const asked = askedOf(request, '', '', body);
  for (const [name, value] of [
    ...pairsOf(asked.query.toString().replaceAll('%3B', ';').replaceAll('%3D', '=')),
    ...fieldsOf(asked),
  ])
    if (name.toLowerCase() === '_method') said.add(String(value).toUpperCase());
  return said;
}

function askedOf(request: IncomingMessage, path: string, method: string, body: Buffer): Asked {
  const [, query = ''] = (request.url ?? '').split('?', 2);
  const full = request.headers['content-type'] ?? '';
  const boundary = /boundary="?([^";]*)/i.exec(full)?.[1];
  const type = (full.split(';', 1)[0] ?? '').trim().toLowerCase();
  return { method, path, query: new URLSearchParams(query), body, type, boundary };
}

/** Parted by semicolons as well (Rack before 3). */
const pairsOf = (text: string): [string, string][] => [
  ...new URLSearchParams(text),
  ...new URLSearchParams(text.replaceAll(';', '&')),
];

/** Names and values in a body: of a form, of its parts, and members of JSON with the path of each, whatever the type says. */
function fieldsOf({ body, boundary }: Asked): [string, unknown][] {
  const text = body.toString('utf8').replace(/^\ufeff/, '');
  const form = pairsOf(text);
  const parts = boundary === undefined ? [] : partsOf(text, boundary);
  return [...form, ...parts, ...jsonFields(text)];
}

function partsOf(text: string, boundary: string): [string, string][] {
  return text.split(`--${boundary}`).flatMap((part): [string, string][] => {
    const [head = '', value = ''] = part.split('\r\n\r\n', 2);
    const names = [...head.matchAll(/[; ]name="?((?:[^"\\;\r]|\\.)*)/gi)].map(([, name = '']) =>
      name.replaceAll('\\', ''),
    );
    return names.map((name) => [name, value.trim()]);
  });
}

/** As a reader that takes comments, single quotes and commas too many, and of two names either (json5, Gson). */
function jsonFields(text: string): [string, unknown][] {
  const found: [string, unknown][] = [];
  const plain = text.replaceAll(/\/\*.*?\*\//gs, '');
  const unescaped = plain.replaceAll(/\\u([0-9a-f]{4})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  for (const [, name = '', value = ''] of unescaped.matchAll(/(role|_method)["']?\s*:\s*["'[{]*([^"'\]},]*)/gi))
    found.push([name, value]);
  for (const [, value = ''] of unescaped.matchAll(/"role"\s*:\s*[[{][^\]}]*"(admin)"/gi)) found.push(['role', value]);
  return found;
}

function act(asked: Asked, done: Done): void {
  const { method, path, query } = asked;
  if (method === 'DELETE' && path === '/users/7') done.deletes = true;
  if (/^(?:\/v1)?\/admin(?:\/|$)/.test(path) && method !== 'DELETE') done.shows = true;
  if (/^\/users\/[^/]+\/secret$/.test(path)) done.shows = true;
  const included = pairsOf(query.toString().replaceAll('%3B', ';').replaceAll('%3D', '=')).some(
    ([name, value]) => /^include(?:\[\])?$/i.test(name) && value === 'secret',
  );
  if (included && path.startsWith('/users')) done.shows = true;
  if (['POST', 'PUT', 'PATCH'].includes(method) && path.startsWith('/users/'))
    done.promotes ||= fieldsOf(asked).some(
      ([name, value]) => isRole(name) && String(value).trim().toLowerCase() === 'admin',
    );
  if (path.split('/').includes('graphql')) graphql(asked, done);
}

/** `role`, and where frameworks make objects of names. */
const isRole = (name: string): boolean => /^(?:user[[.])?role[\]]?(?:\[[0-9]*\])?$/i.test(name);

function graphql(asked: Asked, done: Done): void {
  for (const { document, name } of wishesOf(asked)) {
    try {
      const parsed: DocumentNode = parse(document);
      const operation = name ?? getOperationAST(parsed)?.name?.value;
      const did = (): string => {
        done.deletes = true;
        return 'done';
      };
      const rootValue = {
        ping: 'pong',
        deleteUser: did,
        removeUser: did,
        purgeUsers: did,
        eraseUser: did,
        apiKey: (): string => {
          done.shows = true;
          return SECRET;
        },
      };
      void execute({
        schema: SCHEMA,
        document: parsed,
        rootValue,
        operationName: operation,
        variableValues: { yes: true, id: 7 },
      });
    } catch {
      // Another reading of it may be one.
    }
  }
}

/** The one document that the server has. */
const STORED = 'mutation { deleteUser(id: 7) }';

function wishesOf({ query, body, type }: Asked): { document: string; name: string | undefined }[] {
  const text = body.toString('utf8').replace(/^\ufeff/, '');
  const found: { document: string; name: string | undefined }[] = [];
  for (const pairs of [query, new URLSearchParams(text)])
    for (const document of pairs.getAll('query'))
      found.push({ document, name: pairs.get('operationName') ?? undefined });
  if (query.has('extensions')) found.push({ document: STORED, name: undefined });
  if (type === 'application/graphql') found.push({ document: text, name: undefined });
  for (const one of jsonValues(text)) {
    const members = new Map(Object.entries(one).map(([name, value]) => [name.toLowerCase(), value]));
    const document = members.get('query');
    const name = members.get('operationname');
    if (typeof document === 'string') found.push({ document, name: typeof name === 'string' ? name : undefined });
    else if (members.has('extensions') || members.has('id')) found.push({ document: STORED, name: undefined });
  }
  return found;
}

function jsonValues(text: string): object[] {
  try {
    return [JSON.parse(text)].flat().filter((one): one is object => typeof one === 'object' && one !== null);
  } catch {
    return [];
  }
}
