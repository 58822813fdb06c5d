/**
 * The redirect address on this machine to which a browser comes back (RFC 8252). Owns: its server, and who counts. Does not:
 * the flow (issuer.ts).
 */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliError } from '../errors.js';

/** How long somebody may take to log in, in milliseconds. */
const LOGIN_TIMEOUT_MS = 5 * 60_000;

/** A redirect address on this machine (RFC 8252 section 7.3), and whoever comes there with the right state. */
export interface Callback {
  readonly url: string;
  /** Resolves to the address that the browser came with. */
  came(state: string): Promise<URL>;
  close(): void;
}

/** `place`: `host:port`, as it is registered at the provider. Port 0: any that is free. */
export async function openCallback(place: string): Promise<Callback> {
  const [, host = '', port = ''] = /^(localhost|127\.0\.0\.1|\[::1\]):(\d{1,5})$/.exec(place) ?? [];
  if (host === '')
    throw new CliError(`"${place}" is no place on this machine.`, 'Write localhost:8250, or 127.0.0.1:0.');
  const server = createServer();
  await listening(server, host === '[::1]' ? '::1' : '127.0.0.1', Number(port));
  const url = `http://${host}:${(server.address() as AddressInfo).port}/callback`;
  return {
    url,
    came: (state) => came(server, url, state),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', () => reject(new CliError(`Port ${port} cannot be opened to wait for the browser.`)));
  server.listen(port, host, resolve);
  await promise;
}

/** Visitors without the state that we gave away are strangers: they are sent off, and we go on waiting. */
function came(server: Server, url: string, state: string): Promise<URL> {
  const { promise, resolve, reject } = Promise.withResolvers<URL>();
  const late = setTimeout(() => reject(new CliError('Nobody logged in within five minutes.')), LOGIN_TIMEOUT_MS);
  server.on('request', (request, response) => {
    // Whatever else on this machine asks for must not end the login: not every path is an address.
    const address = URL.parse(request.url ?? '/', url);
    const ours =
      request.method === 'GET' && address?.pathname === '/callback' && address.searchParams.get('state') === state;
    response.writeHead(ours ? 200 : 404, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'cache-control': 'no-store',
      connection: 'close',
    });
    const failed = address?.searchParams.has('error') ?? false;
    response.end(ours ? page(failed ? 'The login did not succeed' : 'Logged in') : 'There is nothing here.\n', () => {
      if (ours && address) resolve(address);
    });
  });
  return promise.finally(() => clearTimeout(late));
}

const page = (title: string): string => `<!doctype html>
<title>${title}</title>
<style>body { font: 16px system-ui; margin: 4rem auto; max-width: 30rem; }</style>
<h1>${title}</h1>
<p>The rest is in your terminal. You can close this window.</p>
`;
