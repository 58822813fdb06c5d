/** What a gateway is made of, opened in order. Owns: which component gets which other. Does not: use them (gateway.ts). */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Language, openPool } from '@sluice/analysis';
import { MySqlLanguage, WORKER as MYSQL_WORKER } from '@sluice/sql-mysql';
import { PostgresLanguage, WORKER as POSTGRES_WORKER } from '@sluice/sql-postgres';
import { pathToFileURL } from 'node:url';
import { Approvals, type ApprovalRequest, type Told, type Word, withoutSample } from '@sluice/approvals';
import type { Config } from '@sluice/config';
import type { Principal } from '@sluice/contract';
import { Directory, Issuers, OPERATOR, claimsIn } from '@sluice/identity';
import { JudgedFiles } from '@sluice/judging';
import { McpSessions, type McpState, Pins } from '@sluice/mcp-calls';
import { Journal } from '@sluice/recording';
import { CountNotes, RevocationNotes, Store } from '@sluice/store';
import type { Logger } from 'pino';
import { Agents } from '@sluice/agents';
import { Events, Revocations, type Revoked, toRow, toldAs } from '@sluice/control';
import { CommitBarrier, Counters, Log, RecordKeeper, Webhooks } from '@sluice/audit';
import { Counts, Freezes, Ledger, ModelBudgets, Sketches, Touched, type UsedUp } from '@sluice/budgets';
import { type Snapshot, snapshotOf } from './snapshot.js';
import { packagesOf } from './configuration.js';
import { type LoadedPackage, loadPackages } from '@sluice/packaged';
import { Grants } from '@sluice/grants';
import { privateFolder, privateKeyIn } from './private-files.js';
import { Readings } from '@sluice/reading';
import { SecurityKeys } from '@sluice/step-up';
import { SshKeys } from './ssh/keys.js';

/** The module that knows the protocols, for the thread that reads the record: the compiled file, also for tests. */
const REPLAYS = new URL('../dist/protocols.js', import.meta.url).href;

/** What a gateway is made of. */
export interface Components {
  /** Protocols in packages of somebody else. */
  readonly packages: readonly LoadedPackage[];
  /** Threads for long texts, of each language. */
  readonly pools: readonly ReturnType<typeof openPool>[];
  readonly languages: ReadonlyMap<string, Language>;
  readonly journal: Journal;
  readonly store: Store;
  readonly identity: Directory;
  readonly agents: Agents;
  readonly sshKeys: SshKeys;
  readonly approvals: Approvals;
  readonly securityKeys: SecurityKeys;
  readonly counts: Counts;
  readonly budgets: ModelBudgets;
  readonly mcp: McpState;
  readonly grants: Grants;
  readonly judgedFiles: JudgedFiles;
  readonly ledger: Ledger;
  readonly touched: Touched;
  readonly freezes: Freezes;
  readonly revocations: Revocations;
  readonly webhooks: Webhooks;
  readonly events: Events;
  readonly barrier: CommitBarrier;
  readonly counters: Counters;
  readonly log: Log;
  readonly readings: Readings;
  readonly keeper: RecordKeeper;
  readonly snapshot: Snapshot;
  readonly redactionKey: Uint8Array;
  readonly maskKey: Uint8Array;
}

/** Opens the journal, the store and all that stands on them. Rejects with a sentence when it cannot. */
export async function openComponents(config: Config, operator: Logger): Promise<Components> {
  const packages = await loadPackages(packagesOf(config), config.folder);
  privateFolder(config.data);
  privateFolder(join(config.data, 'journal'));
  const pools = [openPool(POSTGRES_WORKER), openPool(MYSQL_WORKER)] as const;
  const read = [await PostgresLanguage.open(pools[0]), new MySqlLanguage(pools[1])];
  const languages = new Map<string, Language>(read.map((one) => [one.name, one]));
  const journal = new Journal({
    folder: join(config.data, 'journal'),
    durability: config.record.durability,
    segmentBytes: config.record.segment,
    maxBytes: config.record.maxSize,
  });
  const store = await Store.open(join(config.data, 'control.db'));
  store.onFault = (fault) => {
    if (fault) operator.error({ error: fault.message }, 'nothing new is held, approved or allowed until it is mended');
    else operator.info('what the gateway decides can be stored again');
  };
  const identity = await Directory.open(withOperator(config.principals), store, {
    roles: config.roles,
    ...(config.issuers.size > 0 && { issuers: issuersOf(config, operator) }),
  });
  const snapshot = snapshotOf(config, identity);
  const counters = new Counters();
  const barrier = new CommitBarrier(journal, counters.latency, (error) =>
    operator.error({ error: error.message }, 'the journal cannot be written: commands stop'),
  );
  const log = new Log(journal, barrier, operator, config.record.parameters, counters);
  const readings = new Readings(
    journal,
    join(config.data, 'sessions.db'),
    () => barrier.now(),
    (error) => operator.error({ error }, 'the record cannot be read'),
    REPLAYS,
    Object.fromEntries(packages.map(({ name, entry }) => [name, pathToFileURL(entry).href])),
  );
  log.onRecord = (header) => readings.note(header);
  const keeper = await RecordKeeper.open({ config, journal, readings, store, operator });
  log.room = () => keeper.room;
  const agents = await Agents.open(store.agents, log);
  const revocations = new Revocations(RevocationNotes.open(join(config.data, 'revocations')), operator);
  const webhooks = new Webhooks(config.webhooks, operator);
  const events = new Events();
  const sshKeys = await SshKeys.open(store, config.connections.values(), (message, details) =>
    operator.warn(details, message),
  );
  const tell: Told = (request, event, who) => {
    const { session, command, number } = request;
    log.write({ k: 'approval', t: Date.now(), s: session, id: command, request: number, event, ...who });
    events.approval(request);
    if (event === 'break-glass') {
      counters.brokenGlass++;
      operator.warn({ request: number, by: who?.actor }, 'somebody passed what they asked themselves, by break-glass');
    }
    const type = toldAs(event);
    if (type !== undefined) webhooks.send(type, { ...toRow(withoutSample(request)), ...who }, request.principal);
  };
  const securityKeys = await SecurityKeys.open(store.securityKeys);
  const freezes = new Freezes(await store.freezes.all());
  const approvals = await Approvals.open(store.approvals<ApprovalRequest>(), tell, {
    // What a key that was removed has signed counts no more.
    standing: (word) =>
      word.key === undefined || securityKeys.hasSince(word.key, word.at)
        ? standing(identity, freezes, word)
        : undefined,
    keepTaken: async (number, save) => void (await revocations.keep(`approval:${number}`, save)),
  });
  const unsaved = ({ message }: Error): void =>
    operator.warn({ error: message }, 'guesses and budgets cannot be saved: a restart would forget them');
  const notes = CountNotes.open(join(config.data, 'counts'));
  const counts = await Counts.open(store.counts, unsaved, undefined, undefined, notes);
  const marks = CountNotes.open(join(config.data, 'shown'));
  const sketches = await Sketches.open(store.sketches, marks, unsaved, () => counts.steadyMinute());
  const touched = await Touched.open(store.touches, unsaved);
  // As JSON: names of rules have no quotes.
  const used: UsedUp = (rule, unit) => Counters.sum(counters.budgets, `["${rule}","${unit}"]`);
  const pins = await Pins.open(store.pins, ({ message }) =>
    operator.warn({ error: message }, 'pins of tools cannot be saved: a restart would forget them'),
  );
  const grants = await Grants.open(store.grants, privateKeyIn(join(config.data, 'grants.key')), ({ message }) =>
    operator.warn({ error: message }, 'grants of people cannot be saved: a restart would have them asked again'),
  );
  const judgedFiles = await JudgedFiles.open(store.judgedFiles, ({ message }) =>
    operator.warn({ error: message }, 'files of calls of models cannot be saved: a restart would forget them'),
  );
  for (const what of revocations.left())
    await revokeAgain(what, { identity, agents, approvals, revocations, freezes, store });
  const redactionKey = await secretOf(store, 'record.secret');
  const maskKey = await secretOf(store, 'mask.secret');
  return {
    packages,
    snapshot,
    pools,
    languages,
    journal,
    store,
    identity,
    agents,
    sshKeys,
    approvals,
    securityKeys,
    counts,
    budgets: new ModelBudgets(counts, used),
    ledger: new Ledger(counts, sketches, used),
    touched,
    freezes,
    mcp: { pins, sessions: new McpSessions() },
    grants,
    judgedFiles,
    revocations,
    webhooks,
    events,
    barrier,
    counters,
    log,
    readings,
    keeper,
    redactionKey,
    maskKey,
  };
}

/**
 * Who said it, if they may still: they are not frozen, their token is not revoked, and they have the role for it. Undefined: they may not.
 */
function standing(
  identity: Directory,
  freezes: Freezes,
  { who, token, makers = [], claimed, decision }: Word,
): Principal | undefined {
  const owner = { name: makers.at(-1) ?? who?.name ?? '' };
  if (!who || freezes.find({ principal: who, owner, connection: '' })) return undefined;
  if (token === undefined) return who;
  // Of the gateway's own one that is not kept any more may have been revoked; those of issuers have a colon in their id.
  const known = identity.token(token);
  if (known ? known.revoked !== undefined : !token.includes(':')) return undefined;
  const now = identity.current({ principal: who, claimed, tokenId: token });
  return now?.roles.includes(decision === 'break-glass' ? 'user' : 'approver') ? now : undefined;
}

/** What was revoked, and not stored, before the gateway ended. */
async function revokeAgain(
  what: Revoked,
  {
    identity,
    agents,
    approvals,
    revocations,
    freezes,
    store,
  }: Pick<Components, 'identity' | 'agents' | 'approvals' | 'revocations' | 'freezes' | 'store'>,
): Promise<void> {
  const id = what.slice(what.indexOf(':') + 1);
  if (what.startsWith('freeze:')) {
    const frozen = freezes.freeze({ subject: id, since: Date.now(), by: 'gateway', why: 'frozen before a restart' });
    return void (await revocations.keep(what, () => store.freezes.save(frozen)));
  }
  let known = false;
  if (what.startsWith('approval:')) known = await approvals.forget(Number(id));
  for (const token of what.startsWith('token:') ? identity.revokeToken(id) : []) {
    known = true;
    await revocations.keep(`token:${token.id}`, () => identity.storeRevocation(token));
  }
  const agent = what.startsWith('agent:') ? agents.revoke(id) : undefined;
  if (agent) await revocations.keep(what, () => agents.storeRevocation(agent));
  else if (!known) await revocations.keep(what, () => Promise.resolve());
}

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
