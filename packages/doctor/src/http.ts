/** One request by HTTP/1.1, as the gateway would send it, for an operator. Does not: read more of the answer than its first line. */
import type { Duplex } from 'node:stream';
import type { HttpTarget } from '@sluice/contract';

const MAX_WAIT_MS = 10_000;
const MAX_HEAD_BYTES = 16 * 1024;

/** The way to a target: a socket, and TLS on it. */
export interface HttpWay {
  dial(): Promise<Duplex>;
  secure(stream: Duplex, alpn: readonly string[]): Promise<{ readonly stream: Duplex }>;
}

/**
 * Fetches the base path of a service with the credential of its connection.
 *
 * @returns what it answered, in a sentence
 * @throws Error when it cannot be reached, says nothing, or does not accept the credential
 */
export async function httpAnswer(way: HttpWay, http: HttpTarget): Promise<string> {
  const plain = await way.dial();
  const stream = http.scheme === 'https' ? (await way.secure(plain, http.http2 ? ['h2'] : ['http/1.1'])).stream : plain;
  try {
    if (http.http2) return 'reached; it is spoken to by HTTP/2, so that no request was tried';
    const { target, headers } = await http.authorise({ target: http.base === '' ? '/' : http.base, headers: [] });
    const lines = [
      `GET ${target} HTTP/1.1`,
      `Host: ${http.authority}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      'Connection: close',
    ];
    stream.write(`${lines.join('\r\n')}\r\n\r\n`);
    const status = await statusOf(stream);
    if (status === 401)
      throw new Error(`it answers 401 to ${target}: it does not accept the credential of this connection`);
    return `reached, and answers ${status} to GET ${target}`;
  } finally {
    stream.destroy();
  }
}

async function statusOf(stream: Duplex): Promise<number> {
  const timer = setTimeout(() => stream.destroy(new Error('no answer in time')), MAX_WAIT_MS);
  let head = '';
  try {
    for await (const chunk of stream) {
      head += (chunk as Buffer).toString('latin1');
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
      if (status !== undefined) return Number(status);
      if (head.length > MAX_HEAD_BYTES || head.includes('\n')) break;
    }
    throw new Error('what answers there speaks no HTTP');
  } finally {
    clearTimeout(timer);
  }
}
