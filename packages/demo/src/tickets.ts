/**
 * The sample service of the demo: tickets of a help desk, by HTTP. It takes a key that the gateway has and its clients do not. Owns: its
 * data, which is gone with it.
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config, ConnectionConfig } from '@sluice/config';

const NAME = 'tickets';
/** Only for the sample service on loopback, which holds nothing but made-up data. */
export const TICKETS_KEY = 'sluice-demo-tickets-key';

export interface Tickets {
  readonly port: number;
  stop(): Promise<void>;
}

interface Ticket {
  readonly id: number;
  readonly title: string;
}

/** Why the demo has no service; undefined when it can have one. */
export function missingTickets(config: Config): string | undefined {
  const listened = config.listeners.clients.some((one) => one.protocol === 'http');
  if (config.connections.get(NAME)?.protocol === 'http' && listened) return undefined;
  return `there is no connection "${NAME}" by HTTP in sluice.yaml`;
}

/** The connection with the port of this start. */
export function withTickets(config: Config, port: number): Config {
  const connections = new Map(config.connections);
  const tickets = connections.get(NAME);
  if (tickets?.http) connections.set(NAME, placed(tickets, tickets.http, port));
  return { ...config, connections };
}

/** A connection with the port of this start. */
export const placed = (
  one: ConnectionConfig,
  http: NonNullable<ConnectionConfig['http']>,
  port: number,
): ConnectionConfig => ({
  ...one,
  target: { ...one.target, port },
  http: { ...http, authority: `127.0.0.1:${port}` },
});

export async function startTickets(): Promise<Tickets> {
  const titles = ['The kettle does not whistle', 'Refund for order 12', 'Where is my parcel?'];
  const tickets = new Map(titles.map((title, at) => [at + 1, { id: at + 1, title }]));
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => answer(tickets, request, response, body));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

function answer(tickets: Map<number, Ticket>, request: IncomingMessage, response: ServerResponse, body: string): void {
  const say = (status: number, value?: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(value === undefined ? '' : `${JSON.stringify(value)}\n`);
  };
  if (request.headers.authorization !== `Bearer ${TICKETS_KEY}`) return say(401, { error: 'who are you?' });
  const { pathname } = new URL(request.url ?? '/', 'http://tickets');
  const id = Number(/^\/tickets\/(\d+)$/.exec(pathname)?.[1]);
  // A page that shows what it was sent, as debugging pages do.
  if (pathname === '/echo') return say(200, { headers: request.headers });
  if (pathname === '/tickets' && request.method === 'GET') return say(200, [...tickets.values()]);
  if (pathname === '/tickets' && request.method === 'POST') return say(201, added(tickets, body));
  if (pathname === '/tickets' && request.method === 'DELETE') {
    tickets.clear();
    return say(204);
  }
  const ticket = tickets.get(id);
  if (!ticket) return say(404, { error: 'there is no such ticket' });
  if (request.method !== 'DELETE') return say(200, ticket);
  tickets.delete(id);
  return say(204);
}

function added(tickets: Map<number, Ticket>, body: string): Ticket {
  const id = Math.max(0, ...tickets.keys()) + 1;
  const ticket = { id, title: titleIn(body) };
  tickets.set(id, ticket);
  return ticket;
}

function titleIn(body: string): string {
  try {
    const { title } = JSON.parse(body) as { title?: unknown };
    return typeof title === 'string' ? title : 'no title';
  } catch {
    return 'no title';
  }
}
