/** JSON documents of identity providers. Owns: bounds of time and size. Does not: read them (keys.ts). */

/** How long an issuer may take for one document, in milliseconds: two have to fit into the time that a login has. */
const FETCH_TIMEOUT_MS = 3_000;

/** Takes an address to its JSON. Tests give the keys another one. */
export type FetchJson = (url: string, maxBytes: number, timeoutMs?: number) => Promise<unknown>;

/**
 * A JSON document of an issuer, of at most `maxBytes` bytes. Redirects are not followed: they would lead to a host that nobody
 * configured. Rejects with a sentence.
 */
export const fetchJson: FetchJson = async (url, maxBytes, timeoutMs = FETCH_TIMEOUT_MS) => {
  const response = await fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new Error(`${url} answers ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Counted as it comes, decompressed: what a header says of the length need not be so.
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`${url} answers more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
};
