/**
 * The rules in force and what judging by them needs. Owns: the judge of each session, and the targets that its masks, its rules and its
 * trusted names ask. Does not: judge (packages/judging), read rules (snapshot.ts), or open connections to targets (target.ts).
 */
import type { NamesAtTarget, PlanAhead } from '@sluice/analysis';
import type { SessionView } from '@sluice/audit';
import { Spending, guessCounter, personOf, targetName } from '@sluice/budgets';
import { protocolNamed } from '@sluice/config';
import type { Facts, Lookup, Principal, SqlCommand } from '@sluice/contract';
import type { Admissions, RulesInForce } from '@sluice/control';
import type { CompiledPolicy, PolicyContext } from '@sluice/guardrails';
import { type Mark, markedWith } from '@sluice/http-requests';
import { type Person, ownerOf } from '@sluice/identity';
import { type HttpJudging, Judge } from '@sluice/judging';
import { LargeRows } from '@sluice/masking';
import { redactSecrets } from '@sluice/recording';
import { type MySqlMaskedConnection, MySqlMaskTargets } from '@sluice/sql-mysql';
import { Estimates, type MaskedConnection, MaskTargets, type TargetQuestions, askFor } from '@sluice/sql-postgres';
import { shared } from '@sluice/wire';
import type { Components } from './components.js';
import type { HttpTargets } from './http/credentials.js';
import { masksPackets } from './protocols.js';
import type { Connection, SessionMasks } from './services.js';
import { type Snapshot, sameTarget } from './snapshot.js';
import { openTargetLookup } from './target.js';

/** One for all visits, so that they share what is remembered by it. */
export const markOf: (key: Uint8Array) => Mark = shared(markedWith);

/** Whose commands are judged. */
type Judged = SessionView & { readonly masks: SessionMasks | undefined; readonly sameNames: boolean };

export class Judges implements RulesInForce {
  readonly #parts: Components;
  readonly #httpTargets: HttpTargets;
  readonly #admissions: Admissions;
  readonly #inForce: () => Snapshot;
  readonly #estimates = new Estimates();
  readonly #maskTargets: MaskTargets;
  readonly #packetMaskTargets: MySqlMaskTargets;

  /** `inForce`: the configuration that commands are judged by from now on. */
  constructor(parts: Components, httpTargets: HttpTargets, admissions: Admissions, inForce: () => Snapshot) {
    this.#parts = parts;
    this.#httpTargets = httpTargets;
    this.#admissions = admissions;
    this.#inForce = inForce;
    const { operator } = parts.log;
    const outside = {
      missing: (connection: string, column: string) =>
        operator.warn({ connection, column }, 'a mask names a column that the target does not have'),
      unfit: (connection: string, { message, hint }: { readonly message: string; readonly hint: string }) =>
        operator.warn({ connection, reason: message, hint }, 'sessions are refused because of the target'),
      untrusted: (connection: string, entry: string) =>
        operator.warn({ connection, entry }, 'functions.trusted names nothing that the target has'),
      count: (cells: number) => {
        parts.counters.maskedCells += cells;
      },
    };
    const rows = new LargeRows({ bytes: inForce().config.limits.rows });
    this.#packetMaskTargets = new MySqlMaskTargets(outside, parts.maskKey, rows);
    this.#maskTargets = new MaskTargets(outside, parts.maskKey, rows);
  }

  /** Another configuration is in force: targets that are others now are asked anew. */
  reconfigured(old: Snapshot['config'], now: Snapshot['config']): void {
    for (const targets of [this.#maskTargets, this.#packetMaskTargets])
      targets.reconfigured((name) => sameTarget(old, now, name));
  }

  /** Ends connections of the gateway's own. */
  close(): void {
    this.#maskTargets.close();
    this.#packetMaskTargets.close();
  }

  of(name: string): { policy: CompiledPolicy; connection: Connection } | undefined {
    const { policies, config } = this.#inForce();
    const policy = policies.get(name);
    const connection = config.connections.get(name);
    return policy && connection && { policy, connection };
  }

  async hiddenAhead(
    policy: CompiledPolicy,
    connection: Connection,
    command: SqlCommand,
    facts: Facts,
    context: PolicyContext,
  ): Promise<PlanAhead> {
    const { masks } = policy.judge(facts, command.text, context);
    if (masks.length === 0) return { hidden: [], use: { asked: [], moved: [] }, compared: new Map() };
    const targets = masksPackets(connection.protocol) ? this.#packetMaskTargets : this.#maskTargets;
    return targets.hiddenAhead(this.#masked(connection), command, facts, masks);
  }

  async askedOfTarget(
    policy: CompiledPolicy,
    connection: Connection,
    command: SqlCommand,
    facts: Facts,
    context: PolicyContext,
  ): Promise<PolicyContext> {
    const needed = policy.needsOfTarget(facts, command.text, context);
    if (needed.size === 0 || masksPackets(connection.protocol)) return context;
    const questions = this.#questionsOf(connection, context.principal.name, () => true);
    const planner = this.#maskTargets.session(this.#masked(connection));
    return askFor(policy, needed, command, facts, context, { questions, planner });
  }

  /** What masks follow of a new session; undefined on a connection that masks no rows. */
  masks(connection: Connection): SessionMasks | undefined {
    const { name, protocol } = connection;
    const policy = this.#inForce().policies.get(name);
    // What names mean is followed in the same way as what they show.
    const follows =
      policy?.masks || policy?.counts || (policy?.asksTarget.has('meant_tables') && !masksPackets(protocol));
    if (protocolNamed(protocol).traits.answers !== 'rows' || !follows) return undefined;
    const masked = this.#masked(connection);
    return masksPackets(protocol) ? this.#packetMaskTargets.session(masked) : this.#maskTargets.session(masked);
  }

  /** The judge of a session that is logged in. */
  judge(session: Judged): Judge {
    const { languages, counts, ledger, maskKey, redactionKey } = this.#parts;
    const connection = session.connection as Connection;
    const principal = session.principal as Principal;
    const { name, protocol, notFollowed } = connection;
    const { policies, config } = this.#inForce();
    const person = ownerOf(principal, session.makers);
    const admissions = this.#admissions;
    return new Judge({
      languages,
      policy: policies.get(name) as CompiledPolicy,
      context: { principal, connection: { name, protocol } },
      redact: (text) => redactSecrets(text, redactionKey),
      masks: session.masks,
      streamKey: maskKey,
      notFollowed,
      maxText: config.limits.text,
      http: this.#httpOf(connection, principal, person),
      names: this.#namesOf(connection),
      guesses: guessCounter(counts, person, targetName(connection), (values) =>
        admissions.trip(session, 'guesses', values),
      ),
      questions: this.#questionsOf(connection, personOf(person), () => session.sameNames),
      spending: new Spending(ledger, { person, principal, connection: name }, () =>
        admissions.trip(session, 'budget_ends'),
      ),
    });
  }

  #namesOf(connection: Connection): NamesAtTarget | undefined {
    if (connection.trustedFunctions.length === 0 || masksPackets(connection.protocol)) return undefined;
    return this.#maskTargets.names(this.#masked(connection));
  }

  #masked(connection: Connection): MaskedConnection & MySqlMaskedConnection {
    const { name, credential, target, trustedFunctions: trusted, readsNothing } = connection;
    const { agents, sshKeys, log } = this.#parts;
    const open = (): Promise<Lookup> => openTargetLookup(connection, { agents, ssh: sshKeys, log });
    return { name, user: credential.user, pooled: target.pooled, trusted, readsNothing, open };
  }

  /** For rules that ask the target. */
  #questionsOf(connection: Connection, owner: string, sameNames: () => boolean): TargetQuestions {
    return { estimates: this.#estimates, owner, open: this.#masked(connection).open, sameNames };
  }

  #httpOf(connection: Connection, principal: Principal, owner: Person): HttpJudging | undefined {
    if (!connection.http) return undefined;
    const { languages, budgets, judgedFiles, maskKey, mcp: tools, redactionKey } = this.#parts;
    const { limits, record } = this.#inForce().config;
    const { reading, unread, models, mcp, descriptors, base, authority } = connection.http;
    return {
      reading,
      mark: markOf(redactionKey),
      message: limits.message,
      bodies: record.bodies,
      edits: this.#httpTargets.edits(connection, principal),
      masks: { key: maskKey, unread, marked: reading.spec?.marked ?? [] },
      models,
      mcp: mcp && { ...tools, settings: mcp, target: { base, authority }, languages },
      budgets: { of: budgets, owner },
      descriptors,
      files: judgedFiles,
    };
  }
}
