/**
 * The control API's client. Owns: finding the gateway, and which proof is shown to which address. Does not: believe what the
 * gateway answers (answers.ts), or what a data folder says (beacon.ts).
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSafeUrl } from '@sluice/addresses';
import { DAMAGES } from '@sluice/api';
import { BEACON, readBeacon, readBeaconToken } from './beacon.js';
import { readCredential, writeCredential } from './login/credentials.js';
import { CliError } from './errors.js';
import { isFresh, refreshed } from './login/issuer.js';

export interface Where {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** The data folder to look for a running gateway in. */
  readonly data: string;
}

/** The control API's client. Finds the gateway by flag, environment, or the data folder. */
export class ApiClient {
  readonly url: string;
  readonly #token: string | (() => Promise<string>);

  /** `token`: what is shown; or where it comes from, asked for each request. */
  constructor(url: string, token: string | (() => Promise<string>)) {
    this.url = url;
    this.#token = token;
  }

  /** As who was named, else who is logged in, else who runs the gateway on this machine. */
  static find(where: Where): ApiClient {
    const url = findUrl(where);
    if (!isSafeUrl(url)) {
      throw new CliError(
        `${url} is not https: your token would be shown to the network.`,
        'Plain http is for loopback only; a tunnel such as "ssh -L 7432:127.0.0.1:7432" makes it that.',
      );
    }
    const token = where.token ?? process.env['SLUICE_TOKEN'];
    if (token) return new ApiClient(url, tokenFor(url, token, where));
    if (readCredential(url)) return new ApiClient(url, () => loggedIn(url));
    const beacon = readBeacon(where.data);
    const own = beacon && sameOrigin(beacon.url, url) ? readBeaconToken(where.data, beacon) : undefined;
    if (!own)
      throw new CliError('No token to show to the gateway.', 'Log in with "sluice login", or set SLUICE_TOKEN.');
    return new ApiClient(url, own);
  }

  get<T>(path: string): Promise<T> {
    return this.#send<T>('GET', path);
  }

  /** The elements of a list that comes in pages, each page with the address of the next one in its header "link" (RFC 8288). */
  async *pages<T>(path: string): AsyncGenerator<T> {
    for (let next: string | undefined = path; next !== undefined; ) {
      const response: Response = await this.#fetch('GET', next);
      yield* (await response.json()) as T[];
      next = /<([^>]*)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
      // Whatever answers does not decide where the token goes.
      if (next !== undefined && !next.startsWith('/v1/'))
        throw new CliError('The gateway names a next page that is none of its own; the list is not whole.');
    }
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#send<T>('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#send<T>('DELETE', path);
  }

  /** A response that is not JSON, as it comes. */
  async text(path: string): Promise<string> {
    return (await this.#fetch('GET', path)).text();
  }

  /** A session as other programs want it, and what is damaged of its record: sentences. */
  async exported(path: string): Promise<{ readonly text: string; readonly damages: readonly string[] }> {
    const response = await this.#fetch('GET', path);
    return { text: await response.text(), damages: sentencesIn(response.headers.get(DAMAGES)) };
  }

  /** Server-sent events, each of which is JSON, until the gateway has no more. */
  async *events<T>(path: string): AsyncGenerator<T> {
    const { body } = await this.#fetch('GET', path);
    if (!body) return;
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length)) as T;
    }
  }

  async #send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#fetch(method, path, body);
    return (await response.json()) as T;
  }

  /** Of a gateway that has enough to do: asks again when it says, a few times. */
  async #fetch(method: string, path: string, body?: unknown): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#once(method, path, body);
      const seconds = Number(response.headers.get('retry-after') ?? NaN);
      if (response.status !== 429 || !(seconds <= MAX_RETRY_SECONDS) || attempt === MAX_ATTEMPTS)
        return await answered(response);
      await response.body?.cancel();
      await sleep(seconds * 1_000);
    }
  }

  async #once(method: string, path: string, body: unknown): Promise<Response> {
    const token = typeof this.#token === 'string' ? this.#token : await this.#token();
    try {
      return await fetch(new URL(path, this.url), {
        method,
        headers: {
          ...(token !== '' && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch {
      throw new CliError(
        `The gateway at ${this.url} does not answer.`,
        'Is it running? "npm start" or "sluice up" starts it.',
      );
    }
  }
}

/** What is no array of sentences is one sentence: that there is something counts. */
function sentencesIn(header: string | null): readonly string[] {
  if (header === null) return [];
  try {
    const sentences: unknown = JSON.parse(header);
    return Array.isArray(sentences) ? sentences.map(String) : [header];
  } catch {
    return [header];
  }
}

/** @throws CliError in the gateway's words when it refuses */
async function answered(response: Response): Promise<Response> {
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { message?: string; hint?: string };
  throw new CliError(problem.message ?? `The gateway answered ${response.status}.`, problem.hint);
}

/** How often one request is sent, and how long a gateway may ask to wait in between. */
const MAX_ATTEMPTS = 4;
const MAX_RETRY_SECONDS = 5;

/** Where the control API is: by flag, environment, or the data folder. */
export function findUrl(where: Where): string {
  const url = namedUrl(where) ?? readBeacon(where.data)?.url;
  if (url !== undefined && URL.canParse(url)) return url;
  if (url) throw new CliError(`"${url}" is not the address of a gateway.`, 'Write http://127.0.0.1:7432, for one.');
  throw new CliError(
    `No running gateway was found: there is no ${join(where.data, BEACON)}.`,
    'Start one with "npm start" or "sluice up", or name one: its data folder with --data, or its address with --url.',
  );
}

/** A token that somebody set goes to an address that somebody named or logged in to, not to one out of a file. */
function tokenFor(url: string, token: string, where: Where): string {
  if (namedUrl(where) !== undefined || readCredential(url)) return token;
  throw new CliError(
    `A token is set, and ${url} comes from ${join(where.data, BEACON)}: it is not shown there.`,
    `Name the gateway: --url ${url} or SLUICE_URL. Or unset SLUICE_TOKEN to be the administrator of this machine.`,
  );
}

const namedUrl = (where: Where): string | undefined => where.url ?? (process.env['SLUICE_URL'] || undefined);

const sameOrigin = (a: string, b: string): boolean => new URL(a).origin === new URL(b).origin;

/** The token of whoever is logged in, a new one where the old one is about to expire. */
async function loggedIn(url: string): Promise<string> {
  const credential = readCredential(url);
  if (credential && isFresh(credential)) return credential.token;
  const next = credential && (await refreshed(credential));
  if (!next)
    throw new CliError(
      'Your login has expired.',
      'Log in again with "sluice login", or leave it with "sluice logout".',
    );
  writeCredential(url, next);
  return next.token;
}
