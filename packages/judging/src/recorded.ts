/**
 * A request by HTTP as it is put on record: without secrets, and without what would open the gateway. Owns: its members there. Does not: say
 * what is a secret (packages/http-requests), or write.
 */
import type { Header, HttpCommand } from '@sluice/contract';
import { type Mark, redactBody, redactHeaders, redactQuery, requestLine, shownBody } from '@sluice/http-requests';
import { remembered, shared } from '@sluice/wire';
import { JSON_TYPE } from './request-masks.js';

/** Of a gateway token: whoever reads the record or the log of a target would have it. */
const GATEWAY_TOKEN = /sluice_[a-z2-7]{10}_[a-z2-7]{39}/g;

/** Looked for first, which is a tenth of the work. */
const TOKEN_START = 'sluice_';

export const hasToken = (text: string): boolean => text.includes(TOKEN_START) && text.search(GATEWAY_TOKEN) >= 0;
const withoutTokens = (text: string, mark: Mark): string =>
  text.includes(TOKEN_START) ? text.replaceAll(GATEWAY_TOKEN, mark) : text;

/** Headers that are remembered as they are recorded, of all visits together. */
const HEADERS_REMEMBERED = 256;
const headersBy = shared((mark: Mark) =>
  remembered((headers: readonly Header[]) => JSON.stringify(redactHeaders(headers, mark)), HEADERS_REMEMBERED),
);

/** Of one visit. */
export class RequestRecord {
  readonly #mark: Mark;
  /** What of a body is recorded, in bytes. */
  readonly #bodies: number;
  readonly #headers: (headers: readonly Header[]) => string;

  constructor(mark: Mark, bodies: number) {
    this.#mark = mark;
    this.#bodies = bodies;
    this.#headers = headersBy(mark);
  }

  /** Members of the record: the request line, and all of the request but its body's bytes, which are a part of the same record. */
  members(command: HttpCommand, line?: string): string {
    const mark = this.#mark;
    const { method, host, path, query, headers, body, upgrade, message } = command;
    const seen = shownBody(body, 0, mark);
    const address = JSON.stringify({ method, host, path, query: redactQuery(query, mark) });
    const others = {
      ...(seen && {
        body: {
          media: seen.media,
          bytes: seen.bytes,
          sha256: seen.sha256,
          ...(body.type === 'stream' && { unread: true }),
        },
      }),
      ...(upgrade !== undefined && { upgrade }),
      ...(message && { message: { kind: message.kind, origin: message.origin } }),
    };
    const rest = JSON.stringify(others);
    const request = `${address.slice(0, -1)},"headers":${this.#headers(headers)}${rest === '{}' ? '' : `,${rest.slice(1, -1)}`}}`;
    const text = line === undefined ? requestLine(command, mark) : redactBody(line, JSON_TYPE, mark);
    return withoutTokens(`"text":${JSON.stringify(text)},"request":${request}`, mark);
  }

  /** A whole body as it is recorded; undefined: there is none, or it is recorded as it passes. */
  body({ body }: HttpCommand): Uint8Array | undefined {
    if (body.type !== 'whole' || body.bytes.length === 0) return undefined;
    const shown = shownBody(body, this.#bodies, this.#mark);
    return shown?.text === undefined
      ? Buffer.from(shown?.base64 ?? '', 'base64')
      : Buffer.from(withoutTokens(shown.text, this.#mark));
  }
}
