import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Something the user can act on. Printed without a stack, exit status 1. */
export class CliError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** What a running gateway leaves in its data folder, so that commands on the same machine find it. */
export interface Beacon {
  readonly url: string;
  readonly pid: number;
  /** Where the first administrator's token is, for this machine's user only. */
  readonly tokenFile: string;
  /** Listener addresses by protocol, as `host:port`. */
  readonly listeners: Readonly<Record<string, string>>;
}

export const BEACON = 'gateway.json';

export interface Where {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** The data folder to look for a running gateway in. */
  readonly data: string;
}

/** The control API's client. Finds the gateway by flag, environment, or the data folder. */
export class ApiClient {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  static find(where: Where): ApiClient {
    const beacon = readBeacon(where.data);
    const url = where.url ?? process.env['SLUICE_URL'] ?? beacon?.url;
    if (!url) {
      throw new CliError(
        `No running gateway was found: there is no ${join(where.data, BEACON)}.`,
        'Start one with "npm start" or "sluice up", or name one with --url.',
      );
    }
    const token = where.token ?? process.env['SLUICE_TOKEN'] ?? (beacon && readToken(beacon.tokenFile));
    if (!token) throw new CliError('No token to show to the gateway.', 'Set SLUICE_TOKEN, or use --token.');
    return new ApiClient(url, token);
  }

  get<T>(path: string): Promise<T> {
    return this.#send<T>('GET', path);
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

  async #fetch(method: string, path: string, body?: unknown): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.url), {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
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
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { message?: string; hint?: string };
    throw new CliError(problem.message ?? `The gateway answered ${response.status}.`, problem.hint);
  }
}

export function readBeacon(data: string): Beacon | undefined {
  const file = join(data, BEACON);
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')) as Beacon;
}

export function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
