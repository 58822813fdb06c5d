/** Where requests by HTTP go: Unix sockets, and https with an authority and a certificate of one's own. */
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { type TestCertificates, findTool, makeCertificates, temporaryFolder } from '@sluice/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { hour, startAgent } from './agents.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';

const stops: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function open(options: HttpStandOptions): Promise<HttpStand> {
  const stand = await openHttpStand(options);
  stops.push(stand.stop);
  return stand;
}

/** For what an agent does in its own time. */
const PATIENCE = { timeout: 20_000 };

const ask = ({ url, token }: HttpStand, path = '/x'): Promise<Response> =>
  fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });

test('a Unix socket', async () => {
  const { path, remove } = temporaryFolder('http-socket');
  stops.push(remove);
  const socket = join(path, 'service.sock');
  const stand = await open({
    server: createServer(),
    socket,
    target: `{ url: "http://docker/v1", socket: ${socket} }`,
  });
  const answer = (await (await ask(stand, '/info?a=b')).json()) as { url: string; rawHeaders: string[] };
  expect(answer.url).toBe('/v1/info?a=b');
  expect(answer.rawHeaders.slice(0, 2)).toEqual(['Host', 'docker']);
});

test('a Unix socket where an agent is, by the very path on its allow-list', async () => {
  const { path, remove } = temporaryFolder('http-socket');
  stops.push(remove);
  const socket = join(path, 'service.sock');
  const stand = await open({
    server: createServer(),
    socket,
    target: `{ url: "http://docker/v1", socket: ${socket} }`,
    connection: 'via: dc1',
    listener: '{ address: 127.0.0.1, port: 0, tls: self-signed, require_tls: false }, agents: { port: 0, tls: off }',
  });
  expect((await ask(stand)).status).toBe(502);
  const other = startAgent(stand, {
    key: 'a.key',
    token: await stand.gateway.agents.token('dc1', hour()),
    allow: `unix:${join(path, 'other.sock')}\n10.0.0.0/8:*`,
  });
  stops.push(() => other.agent.stop(0));
  await vi.waitFor(() => expect(other.log.join()).toContain('enrolled'), PATIENCE);
  const refused = await ask(stand);
  expect([refused.status, (await refused.json()) as object]).toMatchObject([
    502,
    { detail: expect.stringContaining('service.sock is not on the allow-list of the agent') },
  ]);
  await other.agent.stop(0);
  const agent = startAgent(stand, { key: 'a.key', allow: `unix:${socket}` });
  stops.push(() => agent.agent.stop(0));
  await vi.waitFor(() => expect(agent.log.join()).toContain('connected'), PATIENCE);
  const answer = (await (await ask(stand, '/info?a=b')).json()) as { url: string };
  expect(answer.url).toBe('/v1/info?a=b');
  expect(agent.log.join()).toContain(`${socket}: open`);
});

test.skipIf(!findTool('openssl'))(
  'https: an authority of its own, verified in full, and a client certificate',
  async () => {
    const certificates = makeCertificates(['localhost']);
    const others = makeCertificates(['localhost']);
    stops.push(certificates.remove, others.remove);
    const secure = ({ certificate: cert, key, ca }: TestCertificates) =>
      createSecureServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true });
    const peers: string[] = [];
    const serve: HttpStandOptions['serve'] = (request, response) => {
      peers.push((request.socket as TLSSocket).getPeerCertificate().subject.CN as string);
      response.end('secure');
    };
    const credential = `{ certificate: { cert: ${join(certificates.caFile, '..', 'server.crt')}, key: ${join(certificates.caFile, '..', 'server.key')} } }`;
    const to = (host: string) => (port: number) => `{ url: "https://${host}:${port}", ca: ${certificates.caFile} }`;
    const good = await open({ server: secure(certificates), serve, credential, target: to('localhost') });
    expect(await (await ask(good)).text()).toBe('secure');
    expect(peers).toEqual(['server']);
    // The name does not fit, the authority is another one, and there is no client certificate.
    const named = await open({ server: secure(certificates), serve, credential, target: to('127.0.0.1') });
    expect((await ask(named)).status).toBe(502);
    const foreign = await open({ server: secure(others), serve, credential, target: to('localhost') });
    expect((await ask(foreign)).status).toBe(502);
    const unknown = await open({ server: secure(certificates), serve, target: to('localhost') });
    expect((await ask(unknown)).status).toBe(502);
    expect(peers).toHaveLength(1);
  },
);
