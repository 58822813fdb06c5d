import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openPool } from '@sluice/analysis';
import { Approvals, type Request as ApprovalRequest } from '@sluice/approvals';
import type { Config } from '@sluice/config';
import type { Principal } from '@sluice/contract';
import { Directory, Issuers, claimsIn } from '@sluice/identity';
import { Journal } from '@sluice/recording';
import { Store } from '@sluice/store';
import type { Logger } from 'pino';
import { Agents } from './agents/agents.js';
import { toRow } from './control/approvals.js';
import { Counters } from './counters.js';
import { Grammars } from './judge.js';
import { type Snapshot, snapshotOf } from './live.js';
import { Log } from './log.js';
import { privateFolder } from './private-files.js';
import { Readings } from './reading/reading.js';
import { RecordKeeper } from './record-keeper.js';
import { SshKeys } from './ssh/keys.js';
import { Turn } from './turn.js';
import { Webhooks } from './webhooks.js';

/** What a gateway is made of. */
export interface Parts {
  readonly pool: ReturnType<typeof openPool>;
  readonly grammars: Grammars;
  readonly journal: Journal;
  readonly store: Store;
  readonly identity: Directory;
  readonly agents: Agents;
  readonly sshKeys: SshKeys;
  readonly approvals: Approvals;
  readonly webhooks: Webhooks;
  readonly turn: Turn;
  readonly counters: Counters;
  readonly log: Log;
  readonly readings: Readings;
  readonly keeper: RecordKeeper;
  readonly live: Snapshot;
  readonly redactionKey: Uint8Array;
  readonly maskKey: Uint8Array;
}

/** The grammar that is loaded before anybody asks. */
const NEWEST = 18;

/** Opens the journal, the store and all that stands on them. Rejects with a sentence when it cannot. */
export async function openParts(config: Config, operator: Logger): Promise<Parts> {
  privateFolder(config.data);
  privateFolder(join(config.data, 'journal'));
  const pool = openPool();
  const grammars = new Grammars(pool);
  await grammars.load(NEWEST);
  const journal = new Journal({
    folder: join(config.data, 'journal'),
    durability: config.record.durability,
    segmentBytes: config.record.segment,
    maxBytes: config.record.maxSize,
  });
  const store = await Store.open(join(config.data, 'control.db'));
  const identity = await Directory.open(withOperator(config.principals), store, {
    roles: config.roles,
    ...(config.issuers.size > 0 && { issuers: issuersOf(config, operator) }),
  });
  const live = snapshotOf(config, identity);
  const counters = new Counters();
  const turn = new Turn(journal, counters.latency, (error) =>
    operator.error({ error: error.message }, 'the journal cannot be written: commands stop'),
  );
  const log = new Log(journal, turn, operator, config.record.parameters, counters);
  const readings = new Readings(
    journal,
    join(config.data, 'sessions.db'),
    () => turn.now(),
    (error) => operator.error({ error }, 'the record cannot be read'),
  );
  log.onRecord = (header) => readings.note(header);
  const keeper = await RecordKeeper.open({ config, journal, readings, store, operator });
  log.room = () => keeper.room;
  const agents = await Agents.open(store.agents, log);
  const webhooks = new Webhooks(config.webhooks, operator);
  const sshKeys = await SshKeys.open(store, config.connections.values(), (message, details) =>
    operator.warn(details, message),
  );
  const approvals = await Approvals.open(store.approvals<ApprovalRequest>(), (request, event, who) => {
    const { session, command, number } = request;
    log.write({ k: 'approval', t: Date.now(), s: session, id: command, request: number, event, ...who });
    if (event !== 'used') webhooks.send(`approval.${who ? 'answered' : event}`, { ...toRow(request), ...who });
  });
  const redactionKey = await secretOf(store, 'record.secret');
  const maskKey = await secretOf(store, 'mask.secret');
  return {
    live,
    pool,
    grammars,
    journal,
    store,
    identity,
    agents,
    sshKeys,
    approvals,
    webhooks,
    turn,
    counters,
    log,
    readings,
    keeper,
    redactionKey,
    maskKey,
  };
}

/** The principal that the operating system's user stands for, who can read the data folder anyway. */
export const OPERATOR = 'operator';

/** `before`: the issuers of the configuration before it, whose keys are kept where they are the same. */
export function issuersOf({ issuers, connections, roles }: Config, operator: Logger, before?: Issuers): Issuers {
  return new Issuers(issuers.values(), {
    claims: claimsIn([...[...connections.values()].map(({ access }) => access), ...Object.values(roles)]),
    before,
    onFailure: (issuer, { message }) =>
      operator.warn({ issuer, error: message }, 'the keys of an issuer cannot be fetched'),
  });
}

export const withOperator = (principals: ReadonlyMap<string, Principal>): ReadonlyMap<string, Principal> =>
  new Map([
    ...principals,
    [OPERATOR, { name: OPERATOR, kind: 'person', groups: [], roles: ['approver', 'admin', 'auditor'] }],
  ]);

async function secretOf(store: Store, name: string): Promise<Buffer> {
  let secret = await store.setting(name);
  if (secret === undefined) {
    secret = randomBytes(32).toString('base64');
    await store.setSetting(name, secret);
  }
  return Buffer.from(secret, 'base64');
}
