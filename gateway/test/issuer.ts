import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWTPayload, SignJWT, exportJWK, generateKeyPair } from 'jose';

/** An identity provider on a loopback port: its documents, a key, and tokens that say whatever a test wants. */
export class TestIssuer {
  readonly url: string;
  readonly #server: Server;
  readonly #key: CryptoKey;

  private constructor(server: Server, url: string, key: CryptoKey) {
    this.#server = server;
    this.url = url;
    this.#key = key;
  }

  static async open(): Promise<TestIssuer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' };
    const server = createServer((request, response) => {
      const url = `http://${request.headers.host}`;
      const documents: Record<string, object> = {
        '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys`, token_endpoint: `${url}/token` },
        '/keys': { keys: [jwk] },
      };
      const found = documents[request.url ?? ''];
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TestIssuer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, privateKey);
  }

  token(claims: JWTPayload = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: this.url, aud: 'sluice', sub: 'ana', iat: now, exp: now + 300, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(this.#key);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
