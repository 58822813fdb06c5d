/**
 * How much later an event of a model's stream reaches its client through the gateway, with masks and judged calls. Lives here: the service, the
 * client and the figures. Does not: the CPU of it (`bodies.ts`).
 */
import { type IncomingMessage, type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '@sluice/testkit';
import { end, spawnGateway } from './setting.js';

const EVENTS = 400;
/** Between two events, in milliseconds. */
const PAUSE_MS = 5;

/** A table of delays, direct and through. */
export async function eventDelays({ rounds }: { rounds: number }): Promise<string> {
  const { path, remove } = temporaryFolder('bench-events');
  const service = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/event-stream');
    void say(response);
  });
  const port = await listen(service);
  const gateway = await spawnGateway(join(path, 'gateway'), gatewayOf(port), { protocol: 'http' });
  try {
    const direct: Delays = { first: [], all: [] };
    const through: Delays = { first: [], all: [] };
    for (let round = 0; round <= rounds; round++) {
      // Cold code is late.
      const [one, other] = round === 0 ? [EMPTY(), EMPTY()] : [direct, through];
      await ask(`http://127.0.0.1:${port}/v1/chat/completions`, '', one);
      await ask(`http://127.0.0.1:${gateway.port}/models/v1/chat/completions`, gateway.token, other);
    }
    const row = (title: string, values: (one: Delays) => readonly number[], share: number): string => {
      const [a, b] = [at(values(direct), share), at(values(through), share)];
      return `| ${title} | ${a.toFixed(2)} | ${b.toFixed(2)} | ${(b - a).toFixed(2)} |`;
    };
    return `
## Events of a model

${EVENTS} events of a chat completion, ${PAUSE_MS} ms apart, ${rounds} rounds: milliseconds from the moment that the service writes one until its client has it, and until the first one from the request on.
The gateway masks with all detectors, and holds back what may still be a part of a finding.

| | direct | through | added |
| --- | --- | --- | --- |
${row('an event, median', ({ all }) => all, 0.5)}
${row('an event, p99', ({ all }) => all, 0.99)}
${row('the first event, median', ({ first }) => first, 0.5)}
`;
  } finally {
    await end(gateway.child);
    service.closeAllConnections();
    service.close();
    remove();
  }
}

interface Delays {
  readonly first: number[];
  readonly all: number[];
}
const EMPTY = (): Delays => ({ first: [], all: [] });

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Each event says when it was written. */
async function say(response: { write(text: string): unknown; end(): unknown }): Promise<void> {
  for (let n = 0; n < EVENTS; n++) {
    const delta = { content: ` word${n % 10}` };
    const event = { id: 'c', choices: [{ index: 0, delta, finish_reason: null }], sent: performance.now() };
    response.write(`data: ${JSON.stringify(event)}\n\n`);
    await sleep(PAUSE_MS);
  }
  response.end();
}

async function ask(url: string, token: string, delays: Delays): Promise<void> {
  const asked = performance.now();
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const headers = { 'content-type': 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { method: 'POST', headers }, resolve).once('error', reject).end(body);
  });
  let text = '';
  let seen = 0;
  for await (const piece of answer) {
    const now = performance.now();
    text += String(piece);
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const sent = Number(/"sent":([\d.]+)/.exec(event)?.[1]);
      if (Number.isNaN(sent)) continue;
      if (seen++ === 0) delays.first.push(now - asked);
      delays.all.push(now - sent);
    }
  }
  if (answer.statusCode !== 200 || seen < EVENTS) throw new Error(`${url} gave ${seen} events`);
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const gatewayOf = (port: number): string => `connections:
  models:
    protocol: http
    target: { url: "http://127.0.0.1:${port}" }
    llm: { provider: openai }
    access: ["group:engineers"]
    policies: [production]
policies:
  production:
    - { rule: everything, mask: { detect: [email, phone, credit_card, iban, us_ssn, jwt, private_key, api_key, connection_string, secret] } }
`;
