/**
 * A request as people write it down: for an explanation, or a case of a test. Owns: what is left out there. Does not: read one off a wire.
 */
import type { Header, HttpBody, HttpHead } from '@sluice/contract';
import { readJson } from './json.js';
import { type RequestReading, Request } from './request.js';

export interface WrittenRequest {
  readonly method?: string | undefined;
  /** With the query, where there is one. */
  readonly path: string;
  readonly host?: string | undefined;
  /** `Name: value`. */
  readonly headers?: readonly string[] | undefined;
  readonly body?: string | undefined;
  /** The protocol that it asks to switch to. */
  readonly upgrade?: string | undefined;
}

export interface RequestRead {
  readonly request: Request;
  readonly body: HttpBody;
  /** As a command has it. */
  readonly text: string;
}

/** A body without a Content-Type is taken for JSON where it is some, and else for a form. */
export function requestWritten(written: WrittenRequest, reading: RequestReading): RequestRead {
  const { method = written.body === undefined ? 'GET' : 'POST', host = 'localhost', body, upgrade } = written;
  const at = written.path.indexOf('?');
  const path = at < 0 ? written.path : written.path.slice(0, at);
  const query = at < 0 ? '' : written.path.slice(at + 1);
  const headers = (written.headers ?? []).map((line): Header => {
    const colon = line.indexOf(':');
    return colon < 0 ? [line.trim(), ''] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  const head: HttpHead = { method, host: host.toLowerCase(), path, query, headers };
  const read = bodyOf(body, headers);
  const request = new Request(head, read, upgrade ?? '', reading);
  return { request, body: read, text: `${method} ${path}${query === '' ? '' : `?${query}`}` };
}

function bodyOf(body: string | undefined, headers: readonly Header[]): HttpBody {
  if (body === undefined || body === '') return { type: 'none' };
  const said = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  const media = said ?? (isJson(body) ? 'application/json' : 'application/x-www-form-urlencoded');
  return { type: 'whole', media, bytes: Buffer.from(body) };
}

function isJson(text: string): boolean {
  try {
    readJson(text);
    return true;
  } catch {
    return false;
  }
}
