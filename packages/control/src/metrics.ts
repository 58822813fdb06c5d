/** `/metrics` in the text format of Prometheus. Owns: names and meanings. Does not: count (packages/audit). */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Controlled } from './controlled.js';
import { textOf } from './answers.js';
import { OPEN } from './openapi.js';
import type { Routes } from './routes.js';

/**
 * `/metrics` in the text format of Prometheus. Read when somebody asks, so that counting costs nothing; names of principals
 * and texts of statements are not in it, so that it needs no token.
 */
export function metricsRoute({ app, gateway }: Routes): void {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[], values: () => Iterable<Sample>): void => {
    const options = { name: `sluice_${name}`, help, labelNames, registers: [] };
    registry.registerMetric(
      name.endsWith('_total')
        ? new Counter({
            ...options,
            collect() {
              this.reset();
              for (const [value, labels] of values()) this.inc(labels, value);
            },
          })
        : new Gauge({
            ...options,
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
  gauge('refused_total', 'commands refused or held, by rule', ['connection', 'decision', 'rule'], () =>
    Array.from(gateway.counters.judged, ([key, count]): Sample => {
      const [connection = '', decision = '', rule = ''] = JSON.parse(key) as string[];
      return [count, { connection, decision, rule }];
    }),
  );
  gauge('frozen', 'people, agents and connections that are frozen', [], () => [[gateway.admissions.all().length, {}]]);
  gauge('budget_used_total', 'what budgets were used up', ['rule', 'unit'], () =>
    Array.from(gateway.counters.budgets, ([key, { amount }]): Sample => {
      const [rule = '', unit = ''] = JSON.parse(key) as string[];
      return [amount, { rule, unit }];
    }),
  );
  gauge('logins_total', 'logins that opened a session', ['connection'], () =>
    byName(gateway.counters.logins, 'connection'),
  );
  gauge('login_failures_total', 'logins that were refused', ['reason'], () =>
    byName(gateway.counters.loginFailures, 'reason'),
  );
  gauge('target_failures_total', 'how often a target could not be used', ['connection', 'fault'], () =>
    Array.from(gateway.counters.targetFailures, ([key, count]): Sample => {
      const [connection = '', fault = ''] = JSON.parse(key) as string[];
      return [count, { connection, fault }];
    }),
  );
  gauge('strangers', 'open sockets that are not logged in', [], () => [[gateway.strangers.size, {}]]);
  gauge('strangers_evicted_total', 'sockets that made room for others before they were logged in', [], () => [
    [gateway.strangers.evicted, {}],
  ]);
  gauge('held', 'commands that wait for people', [], () => [[gateway.approvals.pending, {}]]);
  gauge('held_oldest_seconds', 'how long the oldest of them has waited', [], () => [
    [gateway.approvals.oldest === undefined ? 0 : (Date.now() - gateway.approvals.oldest) / 1000, {}],
  ]);
  gauge('break_glass_total', 'commands and sessions that whoever asked passed by themselves', [], () => [
    [gateway.counters.brokenGlass, {}],
  ]);
  gauge('reviews_open', 'of these, those that nobody else has looked at', [], () => [
    [gateway.approvals.reviews().length, {}],
  ]);
  gauge('masked_cells_total', 'values that were given out as others', [], () => [[gateway.counters.maskedCells, {}]]);
  gauge(
    'hidden_columns_total',
    'columns of results that were NULL because nothing better is known of them',
    ['connection', 'reason'],
    () =>
      Array.from(gateway.counters.hiddenColumns, ([key, count]): Sample => {
        const [connection = '', reason = ''] = JSON.parse(key) as string[];
        return [count, { connection, reason }];
      }),
  );
  gauge('journal_pending_records', 'records that are not written yet', [], () => [[gateway.journal.pending, {}]]);
  gauge('journal_bytes', 'size of the journal', [], () => [[gateway.journal.size, {}]]);
  gauge(
    'journal_room',
    '0 while only sessions that are open are recorded, 1 while failed logins are not, else 2',
    [],
    () => [[ROOM[gateway.keeper.room], {}]],
  );
  gauge('journal_failed', '1 while the record cannot be written', [], () => [[gateway.journal.failed ? 1 : 0, {}]]);
  gauge('configuration_current', '0 while the file has mistakes and the one before it is in force', [], () => [
    [gateway.ready.configuration ? 0 : 1, {}],
  ]);
  gauge('reloads_total', 'configuration files taken into use, or not', ['result'], () => [
    [gateway.reloads.ok, { result: 'ok' }],
    [gateway.reloads.failed, { result: 'failed' }],
  ]);
  gauge('webhooks_total', 'messages to webhooks', ['result'], () =>
    Object.entries(gateway.webhooks.counted).map(([result, count]): Sample => [count, { result }]),
  );
  for (const [name, help, value] of AGENTS) {
    gauge(name, help, ['agent', 'name'], () =>
      gateway.agents.links().map((link): Sample => [value(link, gateway), { agent: link.agent, name: link.name }]),
    );
  }
  const latency = (): string =>
    histogram(
      'sluice_added_latency_seconds',
      'from reading a command to its leaving for the target, its record written',
      gateway.counters.latency,
    );
  const schema = {
    ...OPEN,
    tags: ['gateway'],
    summary: 'Counters and gauges',
    response: { 200: textOf('The text format of Prometheus.', 'text/plain') },
  };
  app.get('/metrics', { schema }, async (_request, reply) =>
    reply.type(registry.contentType).send(`${await registry.metrics()}${latency()}`),
  );
}

/** Durations that the gateway has counted by itself, which the library cannot take: it only counts one by one. */
function histogram(name: string, help: string, counted: Controlled['counters']['latency']): string {
  const upTo = counted.upTo();
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} histogram`,
    ...upTo.map(([bound, count]) => `${name}_bucket{le="${bound === Infinity ? '+Inf' : bound}"} ${count}`),
    `${name}_sum ${counted.sum}`,
    `${name}_count ${upTo.at(-1)?.[1] ?? 0}`,
    '',
  ].join('\n');
}

const ROOM = { none: 0, scarce: 0, low: 1, enough: 2 } as const;

type Sample = readonly [number, Record<string, string>];
type Link = ReturnType<Controlled['agents']['links']>[number];

const AGENTS: readonly (readonly [string, string, (link: Link, gateway: Controlled) => number])[] = [
  ['agent_streams', 'streams that are open through an agent', ({ tunnel }) => tunnel.streams],
  ['agent_streams_opened_total', 'streams opened on this link', ({ tunnel }) => tunnel.opened],
  ['agent_streams_refused_total', 'dials that the agent refused on this link', ({ tunnel }) => tunnel.refused],
  ['agent_received_bytes_total', 'bytes from the agent on this link', ({ tunnel }) => tunnel.bytesReceived],
  ['agent_sent_bytes_total', 'bytes to the agent on this link', ({ tunnel }) => tunnel.bytesSent],
  ['agent_round_trip_seconds', 'the last measured round trip', ({ tunnel }) => (tunnel.roundTrip ?? Number.NaN) / 1000],
  ['agent_connects_total', 'links that the agent has made', ({ agent }, { agents }) => agents.connects.get(agent) ?? 0],
];

const byName = (counts: ReadonlyMap<string, number>, label: string): Sample[] =>
  Array.from(counts, ([name, count]): Sample => [count, { [label]: name }]);

function* sessions({ sessions: open, config }: Controlled): Iterable<Sample> {
  const counts = new Map([...config.connections.keys()].map((name) => [name, 0]));
  for (const { connection } of open.values()) {
    if (connection) counts.set(connection.name, (counts.get(connection.name) ?? 0) + 1);
  }
  for (const [connection, count] of counts) yield [count, { connection }];
}
