/**
 * One request by HTTP on a stream of this process. Owns: what of the answer is kept. Does not: know targets or credentials, which the gate does; read
 * answers, which Node does.
 */
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { Header } from '@sluice/contract';
import type { OpenCall } from '../call-gate.js';

export interface Sent {
  readonly method: string;
  /** Path and query, as they are sent. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** So many bytes of the answer's body are kept, and no more are read. */
  readonly keep: number;
}

export interface Answered {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Buffer;
  /** There was more of it. */
  readonly cut: boolean;
}

/** Rejects when the answer breaks off. */
export function send({ stream }: OpenCall, { method, path, headers, body, keep }: Sent): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const sent = httpRequest({
    createConnection: () => stream,
    method,
    path,
    headers: { host: 'gateway', connection: 'close', ...headers, ...(body !== undefined && lengthOf(body)) },
  });
  sent.on('error', reject);
  sent.on('response', (answer) => {
    read(answer, keep).then(resolve, reject);
  });
  sent.end(body);
  return promise;
}

const lengthOf = (body: string): Readonly<Record<string, string>> => ({
  'content-length': String(Buffer.byteLength(body)),
});

async function read(answer: IncomingMessage, keep: number): Promise<Answered> {
  const pieces: Buffer[] = [];
  let kept = 0;
  let cut = false;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    pieces.push(piece.subarray(0, keep - kept));
    kept += piece.length;
    cut = kept > keep;
    // Ends the loop, and the connection with it: nobody reads the rest.
    if (cut) break;
  }
  return { status: answer.statusCode ?? 0, headers: headersOf(answer.rawHeaders), body: Buffer.concat(pieces), cut };
}

function headersOf(raw: readonly string[]): Header[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as const] : []));
}
