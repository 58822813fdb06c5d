/**
 * Requests for the control API: good ones by its own description, and what a stranger or a broken program makes of them.
 * Owns: what is sent. Does not: send it, or judge the answers.
 */

export type Pick = (below: number) => number;

export interface Operation {
  readonly method: string;
  /** With parameters such as `{id}`. */
  readonly path: string;
  /** Whoever has none of these is refused; undefined: everybody with a token. */
  readonly roles: readonly string[] | undefined;
  /** Whoever has no token may call it too. */
  readonly open: boolean;
}

export interface FuzzRequest {
  readonly operation: Operation;
  readonly target: string;
  readonly body: Buffer | undefined;
  readonly contentType: string;
  /** Its path was not mangled, so that the operation is the one that is called. */
  readonly faithful: boolean;
}

interface Described {
  readonly security?: readonly unknown[];
  readonly description?: string;
}

/** The operations that the API's own document names. */
export function operationsOf(document: { paths: Record<string, Record<string, Described>> }): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security, description = '' }]) => ({
      method: method.toUpperCase(),
      path,
      roles: /For the role ([a-z ]+)\./.exec(description)?.[1]?.split(' or '),
      open: security?.length === 0,
    })),
  );
}

const FIELDS = [
  'principal name expires connections roles connection user sql text reason code as parameters major command shell account',
  'number id kind session state limit format after before token __proto__ constructor toString length',
].flatMap((line) => line.split(' '));

const TEXTS = [
  '',
  'db',
  'dev',
  'ada',
  'operator',
  'gateway',
  '*',
  'select 1',
  'delete from t',
  'drop table t; --',
  '1h',
  '9999999999d',
  '-1',
  'NaN',
  '__proto__',
  '\0',
  '\ud800',
  '\u202e\u200b',
  "'; drop table tokens; --",
  '../../etc/passwd',
  '%00',
  '${env:PATH}',
  '[32m',
  'x'.repeat(300),
  'é'.repeat(3000),
];
const NUMBERS = [0, -1, 1, 0.5, 1e308, -0, 2 ** 31, 2 ** 53, 1e21, -(2 ** 63)];

function randomValue(pick: Pick, depth = 0): unknown {
  switch (pick(depth > 3 ? 5 : 9)) {
    case 0:
      return null;
    case 1:
      return pick(2) === 0;
    case 2:
      return NUMBERS[pick(NUMBERS.length)];
    case 3:
    case 4:
      return TEXTS[pick(TEXTS.length)];
    case 5:
      return Array.from({ length: pick(6) }, () => randomValue(pick, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: pick(6) }, () => [FIELDS[pick(FIELDS.length)], randomValue(pick, depth + 1)]),
      );
  }
}

/** Bodies that one route or another takes. */
const GOOD: readonly Readonly<Record<string, unknown>>[] = [
  { principal: 'dev' },
  { principal: 'dev', name: 'x', expires: '1h', connections: ['db'], roles: ['user'] },
  { connection: 'db', sql: 'delete from things' },
  { connection: 'db', sql: 'select $1', parameters: ['1'], major: 18, as: 'dev' },
  { connection: 'db' },
  { name: 'dc1', expires: '1h' },
  { reason: 'because' },
  { code: 'ABCD-EFGH' },
  {},
];

/** A body that a route takes, mostly with one of its fields changed. */
function almostGood(pick: Pick): object {
  const body: Record<string, unknown> = { ...GOOD[pick(GOOD.length)] };
  const fields = Object.keys(body);
  const field = fields[pick(Math.max(1, fields.length))];
  if (field !== undefined && pick(3) > 0) body[field] = randomValue(pick);
  return body;
}

/** Bytes of a body: mostly JSON, sometimes much too deep, much too large, cut, or none at all. */
function randomBody(pick: Pick): Buffer | undefined {
  switch (pick(18)) {
    case 0:
      return undefined;
    case 1:
      return Buffer.from('['.repeat(50_000) + ']'.repeat(50_000));
    case 2:
      return Buffer.from(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`);
    case 3:
      return Buffer.alloc([5 * 1024 * 1024, 4 * 1024 * 1024, 100_000][pick(3)] as number, '[1,');
    case 4:
      return Buffer.from(JSON.stringify(randomValue(pick)).slice(0, -1 - pick(3)));
    case 5:
      return Buffer.from([0xff, 0xfe, 0, 0x7b, 0x7d, pick(256)]);
    case 6:
      return Buffer.from(JSON.stringify({ sql: 'x'.repeat(pick(2_000_000)), connection: 'db' }));
    case 7:
      return Buffer.from('{"__proto__":{"roles":["admin"]},"principal":"dev"}');
    case 8:
    case 9:
    case 10: {
      const value = randomValue(pick);
      return Buffer.from(
        JSON.stringify(typeof value === 'object' ? value : { [FIELDS[pick(FIELDS.length)] ?? '']: value }),
      );
    }
    default:
      return Buffer.from(JSON.stringify(almostGood(pick)));
  }
}

const CONTENT_TYPES = [
  ...Array.from({ length: 12 }, () => 'application/json'),
  'application/json; charset=utf-16',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  '',
  'application/json,application/json',
];

const SEGMENTS = [
  '1',
  '0',
  '-1',
  '9'.repeat(40),
  '%00',
  '%ff',
  '%2e%2e',
  '..',
  '%',
  'a%2fb',
  '*',
  '%E2%80%AE',
  ';x=1',
  "'",
];

/** One request. `ids` are of things that are there. */
export function randomRequest(pick: Pick, operations: readonly Operation[], ids: readonly string[]): FuzzRequest {
  const operation = operations[pick(operations.length)] as Operation;
  const segment = (): string => (pick(2) === 0 ? ids[pick(ids.length)] : SEGMENTS[pick(SEGMENTS.length)]) ?? '1';
  let target = operation.path.replaceAll(/\{\w+\}/g, segment);
  let faithful = !/[%;*']|\.\./.test(target);
  if (pick(3) === 0) {
    const fields = Array.from({ length: 1 + pick(4) }, () => {
      const value = (TEXTS[pick(TEXTS.length)] ?? '').toWellFormed();
      return `${FIELDS[pick(FIELDS.length)]}=${pick(3) === 0 ? SEGMENTS[pick(SEGMENTS.length)] : encodeURIComponent(value)}`;
    });
    target += `?${fields.join('&')}`;
  }
  if (pick(10) === 0) {
    faithful = false;
    target = mangled(target, pick);
  }
  return {
    operation,
    target,
    body: operation.method === 'GET' && pick(10) > 0 ? undefined : randomBody(pick),
    contentType: CONTENT_TYPES[pick(CONTENT_TYPES.length)] as string,
    // Longer ones are refused before anybody looks at what they name.
    faithful: faithful && target.length < 8000,
  };
}

function mangled(target: string, pick: Pick): string {
  switch (pick(7)) {
    case 0:
      return target.replace('/v1', '/v1/../v1');
    case 1:
      return `/${target}`;
    case 2:
      return `${target}/`;
    case 3:
      return target.replace('/v1', '/%761');
    case 4:
      return target.toUpperCase();
    case 5:
      return `http://elsewhere.example${target}`;
    default:
      return `${target}${'/x'.repeat(pick(3000))}`;
  }
}

const CRLF = '\r\n';

/** Bytes of a conversation as no client would have it. `token` is good. */
export function rawConversation(pick: Pick, token: string): Buffer {
  const auth = `Authorization: Bearer ${token}${CRLF}`;
  const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1${CRLF}Host: x${CRLF}${auth}${more}${CRLF}`;
  const post = (headers: string, body: string): string =>
    `POST /v1/policy/explain HTTP/1.1${CRLF}Host: x${CRLF}${auth}Content-Type: application/json${CRLF}${headers}${CRLF}${body}`;
  const texts = [
    get('/v1/whoami').repeat(1 + pick(50)),
    post(`Content-Length: 100${CRLF}`, '{"sql":'),
    post(`Transfer-Encoding: chunked${CRLF}`, `5${CRLF}{"sql${CRLF}zz${CRLF}`),
    post(`Transfer-Encoding: chunked${CRLF}`, `ffffffffffffffff${CRLF}{}`),
    post(`Transfer-Encoding: chunked${CRLF}Content-Length: 3${CRLF}`, `0${CRLF}${CRLF}`),
    post(`Content-Length: 1${CRLF}Content-Length: 2${CRLF}`, '{}'),
    post(`Content-Length: -1${CRLF}`, '{}'),
    post(`Expect: 100-continue${CRLF}Content-Length: 2${CRLF}`, '{}'),
    post(`Expect: something${CRLF}Content-Length: 2${CRLF}`, '{}'),
    post(`Content-Encoding: gzip${CRLF}Content-Length: 2${CRLF}`, '{}'),
    get('/v1/whoami', `X: ${'a'.repeat(pick(100_000))}${CRLF}`),
    get('/v1/whoami', 'A: b\r\n'.repeat(pick(5000))),
    get('/v1/whoami', `Authorization: Bearer nobody${CRLF}`),
    get('/v1/whoami', `Connection: Upgrade${CRLF}Upgrade: websocket${CRLF}Sec-WebSocket-Key: AAAA${CRLF}`),
    get('/v1/whoami', `Connection: Upgrade, HTTP2-Settings${CRLF}Upgrade: h2c${CRLF}HTTP2-Settings: AAA${CRLF}`),
    get('*'),
    get('/%ff'),
    get('/v1/sessions/%ff/timeline'),
    get('/v1/whoami\0'),
    `OPTIONS * HTTP/1.1${CRLF}Host: x${CRLF}${CRLF}`,
    `CONNECT evil.example:443 HTTP/1.1${CRLF}Host: x${CRLF}${CRLF}`,
    `TRACE /v1/whoami HTTP/1.1${CRLF}Host: x${CRLF}${auth}${CRLF}`,
    `PURGE /v1/tokens HTTP/1.1${CRLF}Host: x${CRLF}${auth}${CRLF}`,
    `GET /v1/whoami HTTP/1.1${CRLF}${auth}${CRLF}`,
    `GET /v1/whoami HTTP/1.0${CRLF}${auth}${CRLF}`,
    `GET /v1/whoami HTTP/9.9${CRLF}Host: x${CRLF}${auth}${CRLF}`,
    'GET /v1/whoami\n\n',
    `PRI * HTTP/2.0${CRLF}${CRLF}SM${CRLF}${CRLF}`,
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    CRLF.repeat(1 + pick(2000)),
  ];
  const bytes = Buffer.from(Array.from({ length: 1 + pick(3) }, () => texts[pick(texts.length)]).join(''), 'latin1');
  for (let left = pick(3); left > 0 && bytes.length > 0; left--) bytes[pick(bytes.length)] = pick(256);
  return pick(4) === 0 ? bytes.subarray(0, pick(bytes.length)) : bytes;
}
