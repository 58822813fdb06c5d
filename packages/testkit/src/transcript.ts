import { type AddressInfo, connect, createServer } from 'node:net';

/**
 * What a real client and a real server said to each other, as a text file that can be read and compared:
 *
 *     # a comment
 *     > bytes of the client
 *     < bytes of the server
 *
 * in the order in which they came. Bytes are printable ASCII as they are, and `\xNN`; a backslash is `\\`.
 */
export interface Exchange {
  readonly from: 'client' | 'upstream';
  readonly bytes: Buffer;
}

export function formatTranscript(exchanges: readonly Exchange[], comment: string): string {
  const lines = joined(exchanges).map(({ from, bytes }) => `${from === 'client' ? '>' : '<'} ${escape(bytes)}`);
  return [...comment.split('\n').map((line) => `# ${line}`), ...lines, ''].join('\n');
}

/** @throws Error at a line that is none of a transcript's */
export function parseTranscript(text: string): Exchange[] {
  return text.split('\n').flatMap((line, at) => {
    if (line === '' || line.startsWith('#')) return [];
    const from = line.startsWith('> ') ? 'client' : line.startsWith('< ') ? 'upstream' : undefined;
    if (!from) throw new Error(`line ${at + 1} of the transcript starts with neither "> " nor "< "`);
    return [{ from, bytes: unescape(line.slice(2)) }];
  });
}

/** What one side said without a break, in one piece. */
export function joined(exchanges: readonly Exchange[]): Exchange[] {
  const runs: { from: Exchange['from']; parts: Buffer[] }[] = [];
  for (const { from, bytes } of exchanges) {
    const last = runs.at(-1);
    if (last?.from === from) last.parts.push(bytes);
    else runs.push({ from, parts: [bytes] });
  }
  return runs.map(({ from, parts }) => ({ from, bytes: Buffer.concat(parts) }));
}

/**
 * Stands between a client and a server on loopback and writes down each connection. `run` gets the port that the client
 * has to use; the transcripts are those of the connections that were made by then, in the order of their start.
 */
export async function capture(serverPort: number, run: (port: number) => Promise<void>): Promise<Exchange[][]> {
  const transcripts: Exchange[][] = [];
  const ended: Promise<unknown>[] = [];
  const relay = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const exchanges: Exchange[] = [];
    transcripts.push(exchanges);
    const upstream = connect({ port: serverPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    for (const [from, source, sink] of [
      ['client', client, upstream],
      ['upstream', upstream, client],
    ] as const) {
      source.on('data', (bytes) => {
        exchanges.push({ from, bytes });
        sink.write(bytes);
      });
      source.on('end', () => sink.end());
      source.on('error', () => sink.destroy());
    }
    ended.push(new Promise((resolve) => client.once('close', resolve)));
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  relay.listen(0, '127.0.0.1', resolve);
  await listening;
  try {
    await run((relay.address() as AddressInfo).port);
    await Promise.all(ended);
  } finally {
    relay.close();
  }
  return transcripts;
}

const escape = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is escaped
    .replace(/[\\\x00-\x1f\x7f-\xff]/g, (byte) =>
      byte === '\\' ? '\\\\' : `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );

const unescape = (text: string): Buffer =>
  Buffer.from(
    text.replace(/\\(?:x([0-9a-f]{2})|\\)/g, (_, hex?: string) =>
      hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  );
