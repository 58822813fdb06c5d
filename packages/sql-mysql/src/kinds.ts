/**
 * Statements whose effect follows from their verb. What is not here and has no reader of its own is unknown, so that a
 * statement of a new grammar cannot pass in silence. Owns: the table. Pure.
 */
import type { Effect } from '@sluice/contract';

export interface KindFacts {
  readonly effects: readonly Effect[];
  /** Set where it brings code or reaches outside: why it is not known to be harmless. */
  readonly reason?: string;
}

const kind = (...effects: Effect[]): KindFacts => ({ effects });
const opaque = (reason: string, ...effects: Effect[]): KindFacts => ({ effects: [...effects, 'unknown'], reason });

const CODE = 'brings code that runs later, unseen';
const OUTSIDE = 'connects the server to something outside';
const SERVER = 'changes the configuration of the server';
const REPLICATION = 'configures replication';

const CREATED: Readonly<Record<string, KindFacts>> = {
  index: kind('define'),
  database: kind('define'),
  sequence: kind('define'),
  tablespace: kind('define'),
  user: kind('grant', 'secret'),
  role: kind('grant'),
  procedure: opaque(CODE, 'define', 'execute'),
  function: opaque(CODE, 'define', 'execute'),
  trigger: opaque(CODE, 'define', 'execute'),
  event: opaque(CODE, 'define', 'execute'),
  package: opaque(CODE, 'define', 'execute'),
  library: opaque(CODE, 'define', 'execute'),
  server: opaque(OUTSIDE, 'define', 'egress', 'secret'),
  resource: opaque(SERVER, 'define', 'grant'),
  logfile: opaque(SERVER, 'define'),
  undo: opaque(SERVER, 'define'),
  instance: opaque(SERVER, 'grant'),
};

const prefixed = (verb: string, change: (facts: KindFacts) => KindFacts): [string, KindFacts][] =>
  Object.entries(CREATED).map(([type, facts]) => [`${verb} ${type}`, change(facts)]);

export const KINDS: ReadonlyMap<string, KindFacts> = new Map<string, KindFacts>([
  ...prefixed('create', (facts) => facts),
  ...prefixed('alter', (facts) => facts),
  // Removing code runs none.
  ...prefixed('drop', ({ effects }) => ({
    effects: ['destroy', ...effects.filter((one) => one === 'define' || one === 'grant')],
  })),
  ['alter table', kind('define')],
  ['drop table', kind('destroy', 'define')],
  ['drop view', kind('destroy', 'define')],
  ['drop index', kind('destroy', 'define')],
  ['truncate', kind('destroy', 'write')],
  ['rename table', kind('define')],
  ['rename user', kind('grant')],
  ['grant', kind('grant')],
  ['revoke', kind('grant')],
  ['lock', kind('session')],
  ['unlock', kind('session')],
  ['optimize table', kind('write')],
  ['repair table', kind('write')],
  ['check table', kind('read')],
  ['checksum table', kind('read')],
  ['analyze table', kind('write')],
  ['flush', opaque('acts on the whole server', 'execute')],
  ['flush table', kind('session')],
  ['kill', opaque('ends a session or a statement of somebody', 'execute')],
  ['purge', opaque('removes logs of the server', 'destroy')],
  ['reset', opaque(SERVER, 'destroy')],
  ['change', opaque(REPLICATION, 'grant', 'egress', 'secret')],
  ['start', opaque(REPLICATION, 'execute')],
  ['stop', opaque(REPLICATION, 'execute')],
  ['install', opaque('loads code into the server', 'execute')],
  ['uninstall', opaque('removes code from the server', 'execute')],
  ['shutdown', opaque('stops the server', 'execute')],
  ['restart', opaque('stops the server', 'execute')],
  ['clone', opaque(OUTSIDE, 'transfer', 'egress')],
  ['binlog', opaque('runs events of a binary log', 'write', 'execute')],
  ['import', opaque('reads files of the database host', 'transfer', 'define')],
  ['backup', opaque(SERVER, 'execute')],
  ['cache', opaque(SERVER, 'execute')],
  ['load', opaque(SERVER, 'execute')],
  ['help', kind('read')],
  ['signal', kind('session')],
  ['resignal', kind('session')],
  ['get diagnostics', kind('read', 'session')],
  ['set resource group', kind('session')],
  ['compound statement', opaque('is code that is not looked into', 'execute')],
]);
