/** TLS on both sides: what ALPN settles, whom SNI was for, certificates as proof, and targets by https. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { createServer, request } from 'node:https';
import type { RequestOptions, Server } from 'node:https';
import { dirname, join } from 'node:path';
import { type TestCertificates, findTool, makeCertificates } from '@sluice/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { AUTH, RawClient, Rig, TOKEN, listening } from './rig.js';

let certificates: TestCertificates;
let client: { cert: string; key: string };
let server: Server;
let rig: Rig;

beforeAll(() => {
  certificates = makeCertificates(['localhost', '127.0.0.1']);
  client = clientCertificate(certificates);
});
afterAll(() => certificates.remove());

beforeEach(async () => {
  server = createServer({ cert: certificates.certificate, key: certificates.key }, (incoming, response) =>
    response.end(`${incoming.method} ${incoming.url} ${incoming.headers.host}`),
  );
  const port = await listening(server);
  rig = await Rig.open(port, { certificates, target: { scheme: 'https', authority: `localhost:${port}` } });
});

afterEach(async () => {
  await rig.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function clientCertificate({ caFile }: TestCertificates): { cert: string; key: string } {
  const openssl = findTool('openssl') as string;
  const cwd = dirname(caFile);
  const run = (...words: string[]): void => void execFileSync(openssl, words, { cwd, stdio: 'pipe' });
  run(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=alice',
    '-keyout',
    'client.key',
    '-out',
    'client.csr',
  );
  run(
    'x509',
    '-req',
    '-days',
    '30',
    '-in',
    'client.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'client.crt',
  );
  return { cert: readFileSync(join(cwd, 'client.crt'), 'utf8'), key: readFileSync(join(cwd, 'client.key'), 'utf8') };
}

async function ask(options: RequestOptions): Promise<[number | undefined, string]> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      { host: '127.0.0.1', port: rig.port, path: '/svc/x', ca: certificates.ca, agent: false, ...options },
      resolve,
    )
      .on('error', reject)
      .end();
  });
  let text = '';
  for await (const bytes of answer) text += String(bytes);
  return [answer.statusCode, text];
}

const headers = { authorization: `Bearer ${TOKEN}` };

test('HTTP/1.1 by TLS, to a target by https', async () => {
  const [status, text] = await ask({ headers });
  expect([status, text]).toEqual([200, `GET /x ${rig.target.authority}`]);
});

test('HTTP/2 where ALPN settles on it', async () => {
  const session = connectHttp2(`https://127.0.0.1:${rig.port}`, { ca: certificates.ca });
  const stream = session.request({ ':path': '/svc/x', ...headers });
  let text = '';
  for await (const bytes of stream) text += String(bytes);
  expect(text).toBe(`GET /x ${rig.target.authority}`);
  expect(session.alpnProtocol).toBe('h2');
  session.destroy();
});

test('a request for another host than TLS was asked for is misdirected', async () => {
  const named = { servername: 'localhost', headers: { ...headers, host: 'localhost' } };
  expect((await ask(named))[0]).toBe(200);
  expect((await ask({ ...named, headers: { ...headers, host: 'other.example' } }))[0]).toBe(421);
  const session = connectHttp2(`https://127.0.0.1:${rig.port}`, { ca: certificates.ca, servername: 'localhost' });
  const stream = session.request({ ':path': '/svc/x', ':authority': 'other.example', ...headers });
  const status = await new Promise((resolve) => stream.on('response', (fields) => resolve(fields[':status'])));
  expect(status).toBe(421);
  session.destroy();
});

test('a client certificate is a proof, alone and beside a token of the same principal', async () => {
  expect((await ask({ ...client }))[0]).toBe(200);
  expect(rig.stay('alice').commands).toHaveLength(1);
  // The rig knows no two proofs to be of the same principal: the gate does.
  expect((await ask({ ...client, headers }))[0]).toBe(401);
});

test('without TLS where it is required there is a sentence, and no request is read', async () => {
  const strict = await Rig.open(1, { certificates, requireTls: true });
  const plain = await RawClient.to(strict.port);
  plain.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
  expect(await plain.until(() => plain.ended)).toMatch(/^HTTP\/1\.1 426 Upgrade Required[^]*https:/);
  await strict.close();
});

test('a target whose certificate is not trusted gets no request', async () => {
  const others = makeCertificates();
  const foreign = createServer({ cert: others.certificate, key: others.key }, (_request, response) =>
    response.end('stolen'),
  );
  const own = await Rig.open(await listening(foreign), { certificates, target: { scheme: 'https' } });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    plainRequest({ host: '127.0.0.1', port: own.port, path: '/svc/x', headers }, resolve).on('error', reject).end();
  });
  expect(answer.statusCode).toBe(502);
  answer.resume();
  await own.close();
  foreign.close();
  others.remove();
});
