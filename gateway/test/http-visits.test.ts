/** Visits by HTTP: who comes in by which proof, and when they are over; what the target is shown, and what of that comes back. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, type ServerResponse, createServer, request as httpRequest } from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readJournal } from '@sluice/recording';
import { type TestCertificates, findTool, makeCertificates } from '@sluice/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { caller } from './control.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';
import { TestIssuer } from './issuer.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(options: HttpStandOptions = {}): Promise<HttpStand> {
  const stand = await openHttpStand(options);
  closers.push(() => stand.stop());
  return stand;
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const control = (stand: HttpStand, token: string) => caller(stand as never, token);
const operatorOf = (stand: HttpStand): string => readFileSync(join(stand.folder, 'data', 'admin.token'), 'utf8').trim();

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** One request by an agent of the test's own, so that a socket is kept. */
function send(url: string, headers: Record<string, string>, agent?: Agent, method = 'GET', body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(url, { method, headers, ...(agent && { agent }) }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const records = (stand: HttpStand): Record<string, unknown>[] => {
  stand.gateway.log.flush();
  return [...readJournal(join(stand.folder, 'data', 'journal'))].map(({ header }) => header as never);
};

describe('a visit', () => {
  test('is one of a principal, by however many requests and sockets; two may alternate on one socket', async () => {
    const stand = await open({ principals: '  eve: { groups: [engineers] }' });
    const eve = (await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' })).token;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    closers.push(() => agent.destroy());
    for (let count = 0; count < 20; count++) {
      const token = count % 2 === 0 ? stand.token : eve;
      expect((await send(`${stand.url}/${count}`, bearer(token), agent)).status).toBe(200);
    }
    await Promise.all(Array.from({ length: 20 }, () => send(`${stand.url}/x`, bearer(stand.token))));
    const opened = records(stand).filter(({ k }) => k === 'opened');
    expect(opened.map(({ principal }) => String(principal)).toSorted()).toEqual(['dev', 'eve']);
    const of = (principal: string): unknown => opened.find((one) => one['principal'] === principal)?.['s'];
    const texts = records(stand).filter(({ k, s }) => k === 'command' && s === of('eve'));
    expect(texts.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, at) => `GET /${at * 2 + 1}`));
  });

  test('that is killed ends what is in flight, and its owner stays out for the time given', async () => {
    const stand = await open({
      serve: () => undefined,
      limits: '{ drain: 100ms }',
      principals: '  eve: { groups: [engineers] }',
    });
    const eve = (await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' })).token;
    const hanging = send(`${stand.url}/slow`, bearer(stand.token));
    await vi.waitFor(() => expect(stand.reached).toHaveLength(1));
    const operator = control(stand, operatorOf(stand));
    const [visit] = await operator.get<{ id: string }[]>('/v1/sessions?state=open');
    await operator.delete(`/v1/sessions/${visit?.id}?reason=enough&keepOut=2`);
    const ended = await hanging;
    expect(ended.status).toBe(403);
    expect(ended.text).toContain('ended by an administrator: enough');
    const barred = await send(`${stand.url}/again`, bearer(stand.token));
    expect(barred.status).toBe(403);
    expect(JSON.parse(barred.text)).toMatchObject({ type: 'urn:sluice:problem:barred' });
    expect(stand.reached).toHaveLength(1);
    // Others are not kept out, and its owner not for ever.
    void send(`${stand.url}/other`, bearer(eve)).catch(() => undefined);
    await vi.waitFor(() => expect(stand.reached).toHaveLength(2));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    void send(`${stand.url}/back`, bearer(stand.token)).catch(() => undefined);
    await vi.waitFor(() => expect(stand.reached).toHaveLength(3));
    expect(records(stand).filter(({ action }) => action === 'session.barred')).toHaveLength(1);
  });

  test('ends with its token: the next request on the socket is refused', async () => {
    const stand = await open();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    closers.push(() => agent.destroy());
    expect((await send(`${stand.url}/a`, bearer(stand.token), agent)).status).toBe(200);
    const id = /^sluice_([a-z2-7]+)_/.exec(stand.token)?.[1];
    await control(stand, stand.token).delete(`/v1/tokens/${id}`);
    expect((await send(`${stand.url}/b`, bearer(stand.token), agent)).status).toBe(401);
    expect(stand.reached).toEqual(['GET /a']);
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0));
  });

  test('outlives a reload for the request in flight; the next one is judged by the new rules', async () => {
    let answer: (() => void) | undefined;
    const stand = await open({ serve: (_, response) => (answer = () => response.end('late')) });
    const first = send(`${stand.url}/a`, bearer(stand.token));
    await vi.waitFor(() => expect(answer).toBeDefined());
    const file = join(stand.folder, 'sluice.yaml');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(
        "{ rule: requests, when: 'true', allow: true }",
        "{ rule: closed, when: 'true', deny: Closed now. }",
      ),
    );
    await stand.gateway.reload(readConfiguration(file).config, 'test');
    const second = await send(`${stand.url}/b`, bearer(stand.token));
    expect(second).toMatchObject({ status: 403 });
    expect(second.text).toContain('Closed now.');
    answer?.();
    expect(await first).toMatchObject({ status: 200, text: 'late' });
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(1));
  });

  test('needs the agreement of people where the connection says so, and each request is told at once', async () => {
    const stand = await open({ connection: 'approval: { approvers: ["user:ada"], timeout: 1m, window: 1h }' });
    const refused = await send(`${stand.url}/a`, bearer(stand.token));
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text)).toMatchObject({ type: 'urn:sluice:problem:session-approval-needed' });
    expect((await send(`${stand.url}/a`, bearer(stand.token))).status).toBe(403);
    const requests = await control(stand, stand.ada).get<{ number: number }[]>('/v1/approvals');
    expect(requests).toHaveLength(1);
    await control(stand, stand.ada).post(`/v1/approvals/${requests[0]?.number}/approve`, { reason: 'fine' });
    expect((await send(`${stand.url}/a`, bearer(stand.token))).status).toBe(200);
  });
});

describe('a proof', () => {
  test('is one: two that differ are refused, two that are the same are not', async () => {
    const stand = await open();
    const both = await send(`${stand.url}/a`, { ...bearer(stand.token), 'sluice-token': stand.ada });
    expect(both.status).toBe(401);
    expect(JSON.parse(both.text)).toMatchObject({ type: 'urn:sluice:problem:proofs-differ' });
    expect((await send(`${stand.url}/a`, { ...bearer(stand.token), 'sluice-token': stand.token })).status).toBe(200);
  });

  test('whoever has one learns of an unknown route what they may reach', async () => {
    const stand = await open();
    const unknown = await send(`http://127.0.0.1:${stand.port}/nowhere/x`, bearer(stand.token));
    expect(unknown.status).toBe(404);
    expect(JSON.parse(unknown.text)).toMatchObject({ connections: ['svc'] });
  });

  test('1,000 tries do not tell an unknown host or path from a wrong token by the time they take', async () => {
    const stand = await open({ connection: 'hosts: [svc.example]' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let count = 0;
    const once = (path: string, host: string, token: string): Promise<number> => {
      // Headers that repeat are read once, and which do hangs on the order here.
      const headers = { host, authorization: `Bearer ${token}`, 'x-count': String(count++) };
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const began = process.hrtime.bigint();
      const asked = httpRequest(`http://127.0.0.1:${stand.port}${path}`, { agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(Number(process.hrtime.bigint() - began)));
      });
      asked.on('error', reject);
      asked.end();
      return promise;
    };
    const wrong = stand.token.replace(/.{4}$/, 'aaaa');
    const kinds: (readonly [string, string])[] = [
      ['/svc/x', '127.0.0.1'],
      ['/nix/x', '127.0.0.1'],
      ['/svc/x', 'svc.example'],
      ['/svc/x', 'nix.example'],
    ];
    // What else the machine does makes some slower, and none quicker: a difference that is ours is there in every round.
    const best = kinds.map(() => Infinity);
    const apart = (): number => Math.max(...best) / Math.min(...best);
    for (let round = 0; round < 4 && !(apart() < 1.3); round++) {
      const times = kinds.map((): number[] => []);
      for (let n = 0; n < 250; n++)
        for (const [at, [path, host]] of kinds.entries()) times[at]?.push(await once(path, host, wrong));
      for (const [at, all] of times.entries()) {
        const quarter = all.toSorted((a, b) => a - b)[Math.floor(all.length / 4)] as number;
        best[at] = Math.min(best[at] as number, quarter);
      }
    }
    agent.destroy();
    expect(apart(), JSON.stringify(best)).toBeLessThan(1.3);
  });

  test('1,000 wrong ones leave fewer than ten records', async () => {
    // A thousand tries on four sockets may take longer than a stranger has.
    const stand = await open({ limits: '{ handshake: 60s }' });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    closers.push(() => agent.destroy());
    const tries = Array.from({ length: 1_000 }, (_, at) => send(`${stand.url}/a`, bearer(`sluice_wrong_${at}`), agent));
    expect(new Set((await Promise.all(tries)).map(({ status }) => status))).toEqual(new Set([401]));
    expect(records(stand).filter(({ k }) => k === 'login').length).toBeLessThan(10);
  });

  test("a token on its way to the target is none of the target's", async () => {
    const stand = await open();
    const leaked = await send(`${stand.url}/a?x=1`, { ...bearer(stand.token), 'x-forward': stand.token });
    expect([400, 403]).toContain(leaked.status);
    expect(leaked.text).not.toContain(stand.token);
    expect(stand.reached).toEqual([]);
    expect(JSON.stringify(records(stand))).not.toContain(stand.token);
  });
});

describe.skipIf(!findTool('openssl'))('certificates', () => {
  let certificates: TestCertificates;
  /** A certificate of a client, by the same authority. */
  const clientOf = (name: string): { cert: string; key: string } => {
    const folder = join(certificates.caFile, '..');
    const run = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    run(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=client',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=DNS:${name}\n`);
    run(
      'x509',
      '-req',
      '-days',
      '30',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    );
    return {
      cert: readFileSync(join(folder, `${name}.crt`), 'utf8'),
      key: readFileSync(join(folder, `${name}.key`), 'utf8'),
    };
  };
  const secure = (url: string, options: object): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = httpsRequest(url, { rejectUnauthorized: false, ...options }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      });
      asked.on('error', reject);
      asked.end();
    });

  test('of a client are a login, by their alternative name', async () => {
    certificates = makeCertificates();
    closers.push(() => certificates.remove());
    const stand = await open({
      listener: `{ address: 127.0.0.1, port: 0, client_certificates: { ca: "${certificates.caFile}" } }`,
      principals: '  build: { kind: agent, groups: [engineers], certificates: ["DNS:build.internal"] }',
    });
    const url = `https://127.0.0.1:${stand.port}/svc/a`;
    expect(await secure(url, clientOf('build.internal'))).toBe(200);
    expect(await secure(url, clientOf('other.internal'))).toBe(401);
    expect(await secure(url, {})).toBe(401);
    expect(await secure(url, { ...clientOf('build.internal'), headers: bearer(stand.token) })).toBe(401);
    expect(await secure(url, { ...clientOf('other.internal'), headers: bearer(stand.token) })).toBe(401);
    const stranger = makeCertificates(['build.internal']);
    closers.push(() => stranger.remove());
    await expect(secure(url, { cert: stranger.certificate, key: stranger.key })).rejects.toThrow();
    expect(stand.reached).toEqual(['GET /a']);
  });

  test('are shown to a target that asks for one', async () => {
    certificates = makeCertificates();
    closers.push(() => certificates.remove());
    const { cert, key } = clientOf('gateway.internal');
    const shown = join(certificates.caFile, '..', 'shown');
    writeFileSync(`${shown}.crt`, cert);
    writeFileSync(`${shown}.key`, key, { mode: 0o600 });
    const server = createHttpsServer(
      {
        cert: certificates.certificate,
        key: certificates.key,
        ca: certificates.ca,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (_, response) => response.end('mutual'),
    );
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    closers.push(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const target = `{ url: "https://localhost:${port}", ca: "${certificates.caFile}" }`;
    const showing = await open({
      target,
      credential: `{ certificate: { cert: "${shown}.crt", key: "${shown}.key" } }`,
    });
    expect(await send(`${showing.url}/a`, bearer(showing.token))).toMatchObject({ status: 200, text: 'mutual' });
    const without = await open({ target });
    expect((await send(`${without.url}/a`, bearer(without.token))).status).toBe(502);
  });
});

describe('the credential of the target', () => {
  const SECRET = 's3cr3t-of/the+target=';
  /** Shows what it was sent, in every way that a page may. */
  const show = (request: IncomingMessage, response: ServerResponse): void => {
    const all = JSON.stringify([request.rawHeaders, request.url]);
    response.setHeader('X-Echo', request.headers.authorization ?? 'none');
    const forms = [
      SECRET,
      Buffer.from(`xx${SECRET}yy`).toString('base64'),
      Buffer.from(`x${SECRET}`).toString('base64url'),
      encodeURIComponent(SECRET),
    ];
    // A piece at a time, so that each of them is cut somewhere.
    const text = `${all} ${forms.join(' ')}`;
    for (let at = 0; at < text.length; at += 7) response.write(text.slice(at, at + 7));
    response.end();
  };
  const expectMasked = (answer: Answer): void => {
    expect(answer.status).toBe(200);
    const all = `${JSON.stringify(answer.headers)} ${answer.text}`;
    const inner = [0, 1, 2].map((skip) => Buffer.from(SECRET.slice(skip)).toString('base64').slice(0, 16));
    for (const form of [SECRET, encodeURIComponent(SECRET), ...inner]) expect(all).not.toContain(form);
    expect(all).toContain('****');
  };

  test.each([
    ['bearer', `{ bearer: "${SECRET}" }`, `Bearer ${SECRET}`],
    [
      'basic',
      `{ basic: { user: svc, password: "${SECRET}" } }`,
      `Basic ${Buffer.from(`svc:${SECRET}`).toString('base64')}`,
    ],
  ])('%s goes with the request, whatever the client says, and does not come back', async (_, credential, sent) => {
    const seen: (string | undefined)[] = [];
    const stand = await open({
      credential,
      serve: (request, response) => {
        seen.push(request.headers.authorization);
        show(request, response);
      },
    });
    expectMasked(await send(`${stand.url}/a`, { 'sluice-token': stand.token }));
    expect(seen).toEqual([sent]);
    const recorded = JSON.stringify(records(stand));
    expect(recorded).not.toContain(SECRET);
  });

  test('as a header or a parameter of its own', async () => {
    const seen: unknown[] = [];
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      seen.push([request.headers['x-key'], request.url]);
      show(request, response);
    };
    const header = await open({ serve, credential: `{ header: { name: X-Key, value: "${SECRET}" } }` });
    expectMasked(await send(`${header.url}/a`, { ...bearer(header.token), 'x-key': 'mine' }));
    const query = await open({ serve, credential: `{ query: { name: key, value: "${SECRET}" } }` });
    expectMasked(await send(`${query.url}/a?key=mine&b=c&%6bey=mine`, bearer(query.token)));
    expect(seen).toEqual([
      [SECRET, '/a'],
      [undefined, `/a?b=c&key=${encodeURIComponent(SECRET)}`],
    ]);
  });

  test('by OAuth2: a token is got once, renewed, and its failure said in words', async () => {
    let asked = 0;
    let fails = false;
    const tokens = createServer((request, response) => {
      asked++;
      expect(request.headers.authorization).toBe(`Basic ${Buffer.from('svc:the-client-secret').toString('base64')}`);
      response.statusCode = fails ? 500 : 200;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ access_token: `access-token-number-${asked}`, token_type: 'Bearer', expires_in: 31 }),
      );
    });
    await new Promise<void>((resolve) => void tokens.listen(0, '127.0.0.1', resolve));
    closers.push(
      () => void tokens.close(),
      () => tokens.closeAllConnections(),
    );
    const { port } = tokens.address() as AddressInfo;
    const seen: (string | undefined)[] = [];
    const stand = await open({
      credential: `{ oauth2: { token_url: "http://127.0.0.1:${port}/token", client_id: svc, client_secret: the-client-secret } }`,
      serve: (request, response) => {
        seen.push(request.headers.authorization);
        response.end(request.headers.authorization);
      },
    });
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(`${stand.url}/a`, bearer(stand.token))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]?.text).toBe(`Bearer ${'*'.repeat('access-token-number-1'.length)}`);
    expect(new Set(seen)).toEqual(new Set(['Bearer access-token-number-1']));
    expect(asked).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect((await send(`${stand.url}/b`, bearer(stand.token))).status).toBe(200);
    expect(seen.at(-1)).toBe('Bearer access-token-number-2');
    fails = true;
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const refused = await send(`${stand.url}/c`, bearer(stand.token));
    expect(refused.status).toBe(502);
    expect(refused.text).toContain('cannot get a token');
  });
});

describe('tokens of pipelines', () => {
  const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const JWT = 'urn:ietf:params:oauth:token-type:jwt';

  async function withIssuer(): Promise<{ issuer: TestIssuer; stand: HttpStand }> {
    const issuer = await TestIssuer.open();
    closers.push(() => issuer.close());
    const stand = await open({
      sections: `issuers:
  ci:
    issuer: "${issuer.url}"
    audience: sluice
    kind: agent
    principal_prefix: "ci:"
    tokens: 2h
    record: [run_id, repository]`,
    });
    return { issuer, stand };
  }
  const exchange = (stand: HttpStand, form: Record<string, string>): Promise<Answer> =>
    send(
      `http://127.0.0.1:${stand.port}/.sluice/token`,
      { 'content-type': 'application/x-www-form-urlencoded' },
      undefined,
      'POST',
      new URLSearchParams(form).toString(),
    );

  test('are exchanged for one of the gateway, no longer than the issuer allows; claims stay with each session', async () => {
    const { issuer, stand } = await withIssuer();
    const file = join(stand.folder, 'sluice.yaml');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('access: ["group:engineers"]', 'access: ["group:engineers", "agent:ci:ana"]'),
    );
    await stand.gateway.reload(readConfiguration(file).config, 'test');
    const token = await issuer.token({ run_id: '4711', repository: 'acme/web', other: 'x' });
    const answer = await exchange(stand, {
      grant_type: GRANT,
      subject_token: token,
      subject_token_type: JWT,
      expires_in: '999999',
    });
    expect(answer.status).toBe(200);
    const {
      access_token: own,
      expires_in: life,
      token_type: type,
    }: { access_token: string; expires_in: number; token_type: string } = JSON.parse(answer.text);
    expect(type).toBe('Bearer');
    expect(life).toBeGreaterThan(7_100);
    expect(life).toBeLessThanOrEqual(7_200);
    expect((await send(`${stand.url}/a`, bearer(own))).status).toBe(200);
    // The job's own token is a login as well.
    expect((await send(`${stand.url}/b`, bearer(token))).status).toBe(200);
    const all = control(stand, operatorOf(stand));
    const claims = { run_id: ['4711'], repository: ['acme/web'] };
    const found = await all.get<{ claims: object }[]>('/v1/sessions?claim=run_id%3D4711&claim=repository%3Dacme/web');
    expect(found.map((one) => one.claims)).toEqual([claims, claims]);
    expect(await all.get('/v1/sessions?state=open&claim=run_id%3D4711')).toHaveLength(2);
    expect(await all.get('/v1/sessions?claim=run_id%3D4712')).toEqual([]);
    expect(await all.get('/v1/sessions?claim=other%3Dx')).toEqual([]);
    expect(JSON.stringify(records(stand))).not.toContain(token);
    expect(JSON.stringify(records(stand))).not.toContain(own);
  });

  test('are exchanged for nothing while their owner is frozen: a token of then would be good afterwards', async () => {
    const { issuer, stand } = await withIssuer();
    const asked = { grant_type: GRANT, subject_token: await issuer.token(), subject_token_type: JWT };
    const first = await exchange(stand, asked);
    expect(first.status).toBe(200);
    const { access_token: own } = JSON.parse(first.text) as { access_token: string };
    const proven = await stand.gateway.identity.authenticate(own);
    const { name = '', kind } = proven?.principal ?? {};
    await stand.gateway.admissions.freeze(`${kind === 'agent' ? 'agent' : 'user'}:${name}`, 'ada', 'looks odd');
    const refused = await exchange(stand, asked);
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([400, { error: 'invalid_grant' }]);
    expect(refused.text).toContain('looks odd');
  });

  test('what is no good exchange is refused as RFC 8693 has it', async () => {
    const { issuer, stand } = await withIssuer();
    const good = { grant_type: GRANT, subject_token: await issuer.token(), subject_token_type: JWT };
    const errorOf = async (form: Record<string, string>): Promise<unknown> =>
      (JSON.parse((await exchange(stand, form)).text) as { error: unknown }).error;
    expect(await errorOf({ ...good, grant_type: 'password' })).toBe('unsupported_grant_type');
    expect(await errorOf({ ...good, subject_token: 'x.y.z' })).toBe('invalid_grant');
    expect(await errorOf({ ...good, scope: 'read' })).toBe('invalid_scope');
    expect(await errorOf({ ...good, resource: `${stand.url}/` })).toBe('invalid_target');
    expect(await errorOf({ ...good, subject_token: stand.token })).toBe('invalid_grant');
    expect(await errorOf({ ...good, subject_token: await issuer.token({ aud: 'other' }) })).toBe('invalid_grant');
    expect(await errorOf({ ...good, subject_token_type: 'x' })).toBe('invalid_request');
    expect(await errorOf({ ...good, audience: 'nowhere' })).toBe('invalid_target');
    expect(await errorOf({ ...good, actor_token: 'x' })).toBe('invalid_request');
    const query = await send(`http://127.0.0.1:${stand.port}/.sluice/token?a=b`, {}, undefined, 'POST', '');
    expect(query.status).toBe(400);
  });
});

describe('a held request', () => {
  const RULES = `
    - { rule: two-eyes, when: 'request.method == "POST"', hold: { approvers: ["user:ada"], timeout: 1m } }`;

  test('is bound to its body: the identical one passes once, another one does not', async () => {
    const stand = await open({ rules: RULES, connection: 'hold_wait: off' });
    const json = { ...bearer(stand.token), 'content-type': 'application/json' };
    const post = (body: string, more: Record<string, string> = {}): Promise<Answer> =>
      send(`${stand.url}/orders`, { ...json, ...more }, undefined, 'POST', body);
    const held = await post('{"n":1}', { traceparent: '00-1', 'x-request-id': '1' });
    expect(held.status).toBe(403);
    const { request: number } = JSON.parse(held.text) as { request: number };
    // What is repeated is no further request for people, whatever its trace is called.
    expect(JSON.parse((await post('{"n":1}', { traceparent: '00-2', 'x-request-id': '2' })).text)).toMatchObject({
      request: number,
    });
    const state = (): Promise<Answer> =>
      send(`http://127.0.0.1:${stand.port}/.sluice/requests/${number}`, bearer(stand.token));
    expect(JSON.parse((await state()).text)).toMatchObject({ request: number, state: 'pending' });
    expect(
      (await send(`http://127.0.0.1:${stand.port}/.sluice/requests/${number}`, bearer(stand.stranger))).status,
    ).toBe(404);
    const shown = await control(stand, stand.ada).get<{ text: string }>(`/v1/approvals/${number}`);
    expect(shown.text).toContain('POST');
    expect(shown.text).toContain('{"n":1}');
    await control(stand, stand.ada).post(`/v1/approvals/${number}/approve`, { reason: 'fine' });
    expect(JSON.parse((await post('{"n":2}')).text)).not.toMatchObject({ request: number });
    expect((await post('{"n":1}')).status).toBe(200);
    expect(JSON.parse((await state()).text)).toMatchObject({ state: 'used' });
    expect((await post('{"n":1}')).status).toBe(403);
    expect(stand.reached).toEqual(['POST /orders']);
  });

  test('a client that hangs up and repeats meets the same one, and it goes when nobody comes back', async () => {
    const stand = await open({ rules: RULES, connection: 'linger: 1s' });
    const post = (): { gone: () => void; answer: Promise<Answer | undefined> } => {
      let hangUp = (): void => undefined;
      const answer = new Promise<Answer | undefined>((resolve) => {
        const asked = httpRequest(
          `${stand.url}/orders`,
          { method: 'POST', headers: bearer(stand.token), agent: false },
          (got) => {
            got.resume();
            got.on('end', () => resolve({ status: got.statusCode ?? 0, headers: got.headers, text: '' }));
          },
        );
        asked.on('error', () => resolve(undefined));
        asked.end('x=1');
        hangUp = () => asked.destroy();
      });
      return { gone: () => hangUp(), answer };
    };
    const list = (): Promise<{ number: number; state: string }[]> => control(stand, stand.ada).get('/v1/approvals');
    const first = post();
    await vi.waitFor(async () => expect(await list()).toHaveLength(1));
    first.gone();
    await first.answer;
    const second = post();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await list()).map(({ state }) => state)).toEqual(['pending']);
    await control(stand, stand.ada).post('/v1/approvals/1/approve', { reason: 'fine' });
    expect((await second.answer)?.status).toBe(200);
    const third = post();
    await vi.waitFor(async () => expect(await list()).toHaveLength(2));
    third.gone();
    await vi.waitFor(async () => expect((await list())[0]?.state).toBe('withdrawn'));
    expect(stand.reached).toEqual(['POST /orders']);
  });
});

test('what was said is replayed, and exported as HAR, without secrets', async () => {
  const stand = await open({
    serve: (request, response, body) => {
      response.setHeader('Set-Cookie', 'sid=very-secret');
      response.end(`${request.method} got ${body.length}`);
    },
  });
  const json = { ...bearer(stand.token), 'content-type': 'application/json', cookie: 'sid=mine' };
  await send(`${stand.url}/a?b=c&api_key=hidden`, json, undefined, 'POST', '{"password":"hunter2","n":1}');
  await send(`${stand.url}/prod/x`, json, undefined, 'DELETE');
  const api = control(stand, stand.token);
  const [visit] = await api.get<{ id: string }[]>('/v1/sessions');
  const entries = await api.get<Record<string, unknown>[]>(`/v1/sessions/${visit?.id}/timeline`);
  const [first] = entries.filter(({ type }) => type === 'command');
  expect(first).toMatchObject({ kind: 'request', request: { method: 'POST', path: '/a' } });
  // They are found by any part of their line, as lists show it and as rules have it.
  const found = (text: string): Promise<{ text: string }[]> => api.get(`/v1/commands?text=${encodeURIComponent(text)}`);
  const lines = (await found('/prod/x')).map(({ text }) => text);
  expect(lines).toEqual([expect.stringMatching(/^DELETE [\w.:-]+\/prod\/x$/)]);
  for (const text of [...lines, 'delete /PROD/x', lines[0]?.slice(7) ?? ''])
    expect([text, await found(text)]).toHaveProperty('1.length', 1);
  for (const text of ['hidden', 'hunter2', 'sid=mine', 'application/json'])
    expect([text, await found(text)]).toEqual([text, []]);
  // The end of a body may have been written down by itself.
  expect([...new Set(entries.flatMap(({ stream }) => stream ?? []))]).toEqual(['request', 'head', 'out']);
  const har = await api.get<{ log: { entries: HarEntry[] } }>(`/v1/sessions/${visit?.id}/export?format=har`);
  const [post, refused] = har.log.entries;
  expect(post).toMatchObject({
    request: { method: 'POST', postData: { mimeType: 'application/json' } },
    response: { status: 200, content: { text: 'POST got 28' } },
  });
  expect(post?.request.url).toContain('/a?b=c&api_key=');
  expect(refused).toMatchObject({ request: { method: 'DELETE' }, response: { status: 0 } });
  expect(refused?.comment).toContain('no-destruction');
  const all = JSON.stringify([har, entries, records(stand)]) + Buffer.from(String(first?.['data'] ?? '')).toString();
  for (const secret of ['hidden', 'hunter2', 'very-secret', 'sid=mine', stand.token]) expect(all).not.toContain(secret);
  const bodies = entries.map(({ data }) => Buffer.from(String(data ?? ''), 'base64').toString()).join();
  for (const secret of ['hunter2', 'very-secret']) expect(bodies).not.toContain(secret);
});

interface HarEntry {
  readonly request: { readonly url: string };
  readonly comment?: string;
}

test('policy explain says what would be decided on a request', async () => {
  const stand = await open();
  const explain = (request: object): Promise<{ decision: string; text: string; rule?: string }> =>
    control(stand, stand.token).post('/v1/policy/explain', { connection: 'svc', request });
  expect(await explain({ method: 'DELETE', path: '/prod/x' })).toMatchObject({
    decision: 'deny',
    rule: 'no-destruction',
  });
  expect(await explain({ method: 'DELETE', path: '/x' })).toMatchObject({ decision: 'hold' });
  expect(await explain({ path: '/x', body: '{"a":1}' })).toMatchObject({ decision: 'allow' });
  expect((await explain({ path: '/a%2fb' })).decision).toBe('deny');
  expect(
    await control(stand, stand.token).status('POST', '/v1/policy/explain', { connection: 'svc', sql: 'select 1' }),
  ).toBe(409);
});
