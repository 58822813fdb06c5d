/** Questions to the gateway. Owns: what every request has, and how a no becomes an error. Does not: keep answers (queries.ts). */
import type { Problem } from '@sluice/api';

/** The gateway said no, or nothing. The message is for people; so is the hint. */
export class ApiError extends Error {
  /** As in HTTP; 0: there was no answer. */
  readonly status: number;
  readonly hint: string | undefined;

  constructor(status: number, { message, hint }: Problem) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** Somebody who has done nothing for this long is not at the keyboard, in milliseconds. */
const PRESENT_MS = 60_000;
let lastInput = Date.now();
for (const event of ['pointerdown', 'keydown', 'wheel', 'touchstart'])
  addEventListener(event, () => (lastInput = Date.now()), { passive: true, capture: true });

/** The header that tells our own pages from others; what a page asks by itself does not count as use of the login. */
const own = (): Record<string, string> => ({
  'x-sluice-console': Date.now() - lastInput < PRESENT_MS ? 'active' : 'idle',
});

async function answered(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { ...own(), ...(body !== undefined && { 'content-type': 'application/json' }) };
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      ...sent,
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {
      message: 'The gateway does not answer.',
      hint: 'It may be starting again; this page goes on by itself.',
    });
  }
  if (response.ok) return response;
  const problem: Problem = await response.json().catch(() => ({ message: `The gateway answers ${response.status}.` }));
  throw new ApiError(response.status, problem);
}

/** Rejects with an ApiError, as all of these. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await answered('GET', path, undefined, signal)).json() as Promise<T>;
}

export interface ApiPage<T> {
  readonly rows: readonly T[];
  readonly next: string | undefined;
  /** Of commands that were found: why they may not be all. Sentences. */
  readonly damages: readonly string[];
}

/** A page of a list, with the address of the next one, where there is one (RFC 8288). */
async function askPage<T>(path: string, signal?: AbortSignal): Promise<ApiPage<T>> {
  const response = await answered('GET', path, undefined, signal);
  const next = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  return { rows: (await response.json()) as T[], next, damages: damagesIn(response.headers) };
}

/** Pages without anything that are passed over in one go, where something is looked for in much. */
const MAX_EMPTY_PAGES = 20;

/** The next page that has something, or where to go on looking. */
export async function askFilledPage<T>(path: string, signal?: AbortSignal): Promise<ApiPage<T>> {
  let page = await askPage<T>(path, signal);
  for (let empty = 0; page.rows.length === 0 && page.next !== undefined && empty < MAX_EMPTY_PAGES; empty++)
    page = withDamages(page.damages, await askPage<T>(page.next, signal));
  return page;
}

const withDamages = <T>(before: readonly string[], page: ApiPage<T>): ApiPage<T> => ({
  ...page,
  damages: [...before, ...page.damages],
});

/** A text, up to so many bytes of it. `whole`: that was all. `damages`: of an export, why it is not all there is: sentences. */
export async function askText(
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly text: string; readonly whole: boolean; readonly damages: readonly string[] }> {
  const { body, headers } = await answered('GET', path, undefined, signal);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) break;
  }
  const whole = bytes <= maxBytes;
  const text = await new Blob(parts as BlobPart[]).text();
  return { text: whole ? text : text.slice(0, text.lastIndexOf('\n')), whole, damages: damagesIn(headers) };
}

function damagesIn(headers: Headers): readonly string[] {
  const damages: unknown = JSON.parse(headers.get('sluice-damages') ?? '[]');
  return Array.isArray(damages) ? damages.map(String) : [];
}

/** An answer that goes on: server-sent events, whose data is JSON. Ends when the gateway ends it. */
export async function* askEvents<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
  const { body } = await answered('GET', path, undefined, signal);
  if (!body) return;
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = event.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5)] : []));
      if (data.length > 0) yield JSON.parse(data.join('\n')) as T;
    }
  }
}

export async function send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  return (await answered(method, path, method === 'POST' ? (body ?? {}) : undefined)).json() as Promise<T>;
}
