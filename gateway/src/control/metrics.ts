import { Gauge, Registry } from 'prom-client';
import type { Gateway } from '../gateway.js';
import type { Routes } from './server.js';

/**
 * `/metrics` in the text format of Prometheus. Read when somebody asks, so that counting costs nothing; names of principals
 * and texts of statements are not in it, so that it needs no token.
 */
export function metricsRoute({ app, gateway }: Routes): void {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[], values: () => Iterable<Sample>): void => {
    registry.registerMetric(
      new Gauge({
        name: `sluice_${name}`,
        help,
        labelNames,
        registers: [],
        collect() {
          this.reset();
          for (const [value, labels] of values()) this.set(labels, value);
        },
      }),
    );
  };
  gauge('ready', '1 while commands can be let through', [], () => [[gateway.ready.ok ? 1 : 0, {}]]);
  gauge('sessions', 'open sessions by connection', ['connection'], () => sessions(gateway));
  gauge('commands_total', 'commands judged since the start', ['decision'], () => {
    const { allowed, denied } = gateway.counted;
    return [
      [allowed, { decision: 'allow' }],
      [denied, { decision: 'deny' }],
    ];
  });
  for (const [name, help, value] of AGENTS) {
    gauge(name, help, ['agent', 'name'], () =>
      gateway.agents.links().map((link): Sample => [value(link, gateway), { agent: link.agent, name: link.name }]),
    );
  }
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
}

type Sample = readonly [number, Record<string, string>];
type Link = ReturnType<Gateway['agents']['links']>[number];

const AGENTS: readonly (readonly [string, string, (link: Link, gateway: Gateway) => number])[] = [
  ['agent_streams', 'streams that are open through an agent', ({ tunnel }) => tunnel.streams],
  ['agent_streams_opened_total', 'streams opened on this link', ({ tunnel }) => tunnel.opened],
  ['agent_streams_refused_total', 'dials that the agent refused on this link', ({ tunnel }) => tunnel.refused],
  ['agent_received_bytes_total', 'bytes from the agent on this link', ({ tunnel }) => tunnel.bytesReceived],
  ['agent_sent_bytes_total', 'bytes to the agent on this link', ({ tunnel }) => tunnel.bytesSent],
  ['agent_round_trip_seconds', 'the last measured round trip', ({ tunnel }) => (tunnel.roundTrip ?? Number.NaN) / 1000],
  ['agent_connects_total', 'links that the agent has made', ({ agent }, { agents }) => agents.connects.get(agent) ?? 0],
];

function* sessions({ sessions: open, config }: Gateway): Iterable<Sample> {
  const counts = new Map([...config.connections.keys()].map((name) => [name, 0]));
  for (const { connection } of open.values()) {
    if (connection) counts.set(connection.name, (counts.get(connection.name) ?? 0) + 1);
  }
  for (const [connection, count] of counts) yield [count, { connection }];
}
