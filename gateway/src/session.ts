/**
 * One client connection: the `Gate` that its protocol talks to. Owns: its login, its judge, its end, and that nothing passes
 * unrecorded. Does not: judge (judge.ts), wait for people (holds.ts), dial (target.ts).
 */
import type { Duplex } from 'node:stream';
import {
  type Admission,
  type AppliedHold,
  type Answer,
  type Challenge,
  type Command,
  type Deny,
  type DenyReason,
  type Dialect,
  type Ending,
  ENDING_KINDS,
  type Facts,
  type Gate,
  type HiddenCounts,
  type HttpHead,
  type Limits,
  type Lookup,
  NEUTRAL_WORDS,
  type Waiter,
  type BehindDefinitions,
  type WaitedTooLong,
  type Principal,
  type ResponseEnd,
  type ResponseEvent,
  type Secured,
  type SqlCommand,
  type Target,
  type TextRange,
} from '@sluice/contract';
import { executedBy, keptValues } from '@sluice/analysis';
import type { Impact, Source } from '@sluice/approvals';
import { givenOn } from '@sluice/proposed-calls';
import { CommitReview, type ReviewedChanges, type ReviewedFacts } from '@sluice/commit-review';
import { commitImpactOf, previewOf, watchLocks } from '@sluice/sql-postgres';
import type { Connection, Listener, Services, SessionMasks } from './services.js';
import { type Judge, type Judgement, otherwise } from '@sluice/judging';
import { MySqlMaskSession } from '@sluice/sql-mysql';
import { impactOf } from './impact.js';
import { type Maker, ownerOf } from '@sluice/identity';
import { Counters, HeldStream } from '@sluice/audit';
import { personOf } from '@sluice/budgets';
import { SessionLogin, type LoginSession, type LoginProof, currentOf, hasAccount } from './login.js';
import { Charges } from './charges.js';
import { denied, termsOf } from './holds.js';
import { RecordedAnswers } from './recorded-answers.js';
import { SessionChanges } from './session-changes.js';
import { boundTo } from './snapshot.js';
import { notingAsks } from './http/own-asks.js';
import { TargetDialer, openTargetLookup } from './target.js';
import { secureClient } from '@sluice/strangers';

/** Nobody can be told, and nobody waits, before there is a session. */
const TOO_EARLY: DenyReason = { code: 'nobody-can-wait-yet' };
const UNRECORDED: DenyReason = { code: 'record-unwritable' };

/** One client connection: the `Gate` that its protocol talks to, and what the list of sessions shows of it. */
export class Session implements Gate, LoginSession {
  readonly id: string;
  readonly started = Date.now();
  readonly client: string;
  readonly protocol: string;
  readonly limits: Limits;
  readonly words = NEUTRAL_WORDS;
  readonly tls: boolean;
  readonly requireTls: boolean;
  readonly loopback: boolean;
  readonly signal: AbortSignal;
  readonly draining: AbortSignal;
  principal: Principal | undefined;
  /** Name of whoever has proven who they are, also while they still choose a machine. */
  holder: string | undefined;
  #proof: LoginProof | undefined;
  connection: Connection | undefined;
  /** As it was when the session was opened: its target stays that one. */
  #opened: Connection | undefined;
  /** Of the target, where it is not that of the credential. */
  #account = '';
  /** The token that it was opened with, and when the session has to end because of it (milliseconds since 1970). */
  tokenId: string | undefined;
  until: number | undefined;
  state: 'login' | 'open' = 'login';
  /** Commands let through and refused, and when something last happened (milliseconds since 1970). */
  commands = 0;
  denied = 0;
  lastActivity = Date.now();

  readonly #services: Services;
  readonly #listener: Listener;
  readonly #kill = new AbortController();
  #deadline: NodeJS.Timeout;
  /** People have not yet agreed to this session. */
  #sealed = false;
  readonly #cancelKeys: string[] = [];
  /** On a connection that masks anything. */
  masks: SessionMasks | undefined;
  #judge: Judge | undefined;
  /** The configuration in force has no place for this session any more. */
  #outdated: Ending | undefined;
  /** The last command that was let through to run, and the last whose answer has ended. */
  #running = 0;
  #ended = 0;
  /** Programs and requests at work, which may be several at a time, and whether they end by themselves. */
  readonly #programs = new Map<number, 'ends' | 'endless'>();
  #dialer: TargetDialer | undefined;
  readonly #changes = new SessionChanges();
  readonly #charges = new Charges();
  readonly #answers: RecordedAnswers;
  /** Commands that wait for people. */
  #waiting = 0;
  readonly #review = new CommitReview(() => this.end({ code: 'transaction-too-long' }));
  /** What serves it at the target. */
  #process = 0;
  constructor(services: Services, listener: Listener, id: string, client: { address: string; loopback: boolean }) {
    this.#services = services;
    this.#listener = listener;
    this.id = id;
    this.client = client.address;
    this.loopback = client.loopback;
    this.protocol = listener.protocol.name;
    this.tls = listener.tls !== undefined;
    this.requireTls = listener.requireTls ?? false;
    const { limits, bodies } = services;
    this.limits = listener.traits.entrance ? { ...limits, recordedAnswer: bodies } : limits;
    this.signal = this.#kill.signal;
    this.draining = services.draining;
    this.#answers = new RecordedAnswers(id, services.log, services.mark);
    this.#deadline = this.#until(services.handshake);
  }

  /** Another configuration is in force: the next command is judged by it. */
  reconfigured(): void {
    if (!this.connection || !this.principal) return;
    const { connections, mayUse, masks, judge } = this.#services;
    const connection = connections.get(this.connection.name);
    const principal = this.#proof && currentOf(this.#proof, this.#services, this.address);
    const unmasked = this.#judge?.masks === false;
    this.#judge = undefined;
    if (connection?.protocol !== this.protocol) return this.#endSoon({ code: 'connection-removed' });
    if (!principal || !mayUse(principal, connection)) return this.#endSoon({ code: 'connection-forbidden' });
    if (!hasAccount(connection, this.#account)) return this.#endSoon({ code: 'account-forbidden' });
    this.principal = principal;
    this.connection = connection;
    // What comes next is for another visit, by the target and the credential of now. This one's requests may finish.
    if (this.isVisit) return this.#endSoon({ code: 'reconfigured' });
    // What is told at the start of a session is told once.
    if (toldOf(connection) !== toldOf(this.#opened ?? connection)) return this.#endSoon({ code: 'identity-told' });
    // Masks follow a session from its start.
    if (!this.masks && masks(connection)) this.#endSoon({ code: 'columns-masked' });
    else if (this.#listener.traits.answers === 'text' && unmasked && judge(this).masks)
      this.#endSoon({ code: 'output-masked' });
  }

  /** A statement or command that was let through may finish. A shell or a forwarded connection would not by itself. */
  #endSoon(ending: Ending): void {
    this.#outdated = ending;
    const endless = ending.code !== 'reconfigured' && [...this.#programs.values()].includes('endless');
    if (!this.busy || endless) this.end(this.#outdated);
  }

  /** What names mean at the target is what they mean to a connection that has changed nothing. */
  get sameNames(): boolean {
    return this.#changes.sameNames;
  }

  /** It has requests that each say who they are from, and no socket of its own. */
  get isVisit(): boolean {
    return this.#listener.traits.entrance === true;
  }

  /** The configuration in force has no place for it: it ends when nothing is at work. */
  get outdated(): boolean {
    return this.#outdated !== undefined;
  }

  /** See `Visit.needsBody`. */
  needsBody(head: HttpHead): boolean {
    return (this.#judge ??= this.#services.judge(this)).needsBody(head);
  }

  /** Ends the session at once; the protocol tells the client why. */
  end(reason: Ending): void {
    this.#kill.abort(reason);
  }

  /** The connection is gone. */
  closed(): void {
    clearTimeout(this.#deadline);
    this.masks?.closed();
    this.#review.closed();
    this.#charges.close();
    for (const key of this.#cancelKeys) this.#services.cancels.delete(key);
    if (this.principal) this.#services.log.sessionClosed(this, ended(this.signal));
  }

  turn(client: Duplex): Promise<void> {
    return this.#services.handshakes.turn(this.address, client, 'keyExchange');
  }

  async secure(stream: Duplex, side: 'client' | 'upstream', alpn?: readonly string[]): Promise<Secured> {
    if (side === 'client') {
      const { tls, traits } = this.#listener;
      if (!tls) throw new Error('this listener has no certificate');
      await this.#services.handshakes.turn(this.address, stream, 'tls');
      return secureClient(stream, tls, [...(alpn ?? traits.alpn)], (reason) => this.broke(reason));
    }
    if (!(stream instanceof HeldStream)) throw new Error('only a stream that this session dialled can be secured');
    const secured = await this.#openDialer().secure(stream.handOver(), alpn);
    return { ...secured, stream: this.#services.barrier.hold(secured.stream) };
  }

  login(user: string, connection: string, account = ''): Challenge {
    return new SessionLogin(this, this.#services, this.#listener).challenge(user, connection, account);
  }

  hasConnection(name: string): boolean {
    return this.#services.connections.get(name)?.protocol === this.protocol;
  }

  broke(reason: string): void {
    this.#services.log.connectionBroke(this.id, this.client, reason);
  }

  targetFailed(reason: string): void {
    if (this.connection) this.#services.log.targetFailed(this.id, this.connection, reason);
  }

  opened(process?: number): void {
    clearTimeout(this.#deadline);
    this.#process = process ?? this.#process;
    this.#dialer?.arrived();
    this.state = 'open';
  }

  async dial(): Promise<Duplex> {
    const { rows, name, credential } = this.#opened ?? {};
    if (rows) await this.#services.rows.check(rows, credential?.user ?? '', name ?? '', () => this.#openLookup());
    return this.#services.barrier.hold(await this.#openDialer().dial());
  }

  ask(command: Command, waiter?: Waiter): Answer | Promise<Answer> {
    if (this.#outdated && this.#outdated.code !== 'reconfigured') {
      this.end(this.#outdated);
      return denied(command, OUTDATED);
    }
    this.#services.barrier.began();
    const isOpening = command.type === 'sql' && !waiter;
    const asked = command.type === 'request' ? notingAsks(command, this, this.#services.log) : command;
    const judgement = (this.#judge ??= this.#services.judge(this)).judge(asked, undefined, isOpening);
    return judgement instanceof Promise
      ? judgement.then((late) => this.#answer(asked, late, waiter))
      : this.#answer(asked, judgement, waiter);
  }

  split(text: string, dialect: Dialect): readonly TextRange[] | undefined {
    return (this.#judge ??= this.#services.judge(this)).split(text, dialect);
  }

  /** A command is at work at the target. */
  get busy(): boolean {
    return this.#waiting > 0 || this.#programs.size > 0 || this.#ended < this.#running;
  }

  get isRecording(): boolean {
    return this.#services.log.recording;
  }

  record(event: ResponseEvent): void {
    this.lastActivity = Date.now();
    if (event.type === 'end' && !this.#programs.delete(event.command) && event.command > this.#ended) {
      this.#ended = event.command;
    }
    if (event.type === 'end') this.#over(event);
    const kept = this.#answers.record(event);
    // A program may go on for ever, and nobody would ask for leave again.
    if (!kept && (event.type === 'part' ? event.stream : event.parts)) this.end({ code: 'record-unwritable' });
    if (event.type === 'end' && this.isVisit && this.#outdated && !this.busy) this.end(this.#outdated);
  }

  #over(event: ResponseEnd): void {
    this.#charges.settle(event.command);
    this.#review.ended(event);
    if (event.hidden) this.#countHidden(event.hidden);
  }

  #countHidden(hidden: HiddenCounts): void {
    const { counters } = this.#services;
    for (const [reason, columns] of Object.entries(hidden))
      Counters.add(counters.hiddenColumns, JSON.stringify([this.connection?.name ?? '', reason]), columns);
  }

  onCancel(key: Uint8Array, cancel: () => Promise<void>): boolean {
    const name = Buffer.from(key).toString('latin1');
    if (this.#services.cancels.has(name)) return false;
    this.#services.cancels.set(name, cancel);
    this.#cancelKeys.push(name);
    return true;
  }

  async cancel(key: Uint8Array): Promise<void> {
    await this.#services.cancels.get(Buffer.from(key).toString('latin1'))?.();
  }

  /** On record before it takes effect: held bytes leave after the journal's write at the end of this turn. */
  #answer(command: Command, judged: Judgement, waiter: Waiter | undefined): Answer | Promise<Answer> {
    this.lastActivity = Date.now();
    const judgement = this.#untouched(command, judged);
    if (!this.#services.log.command(this.id, command, judgement, this.lastActivity)) {
      judgement.charge?.undo();
      return denied(command, UNRECORDED);
    }
    this.#count(command, judgement);
    if (judgement.answer.type === 'deny') this.#refused(judgement.answer);
    else if (isRun(command) && this.#review.concerns(reviewOf(judgement)))
      return this.#reviewed(keptValues(command), judgement, waiter);
    else if (judgement.held) return this.#hold(command, judgement, judgement.held, waiter);
    else if (waiter && isRun(command) && behindIn(judgement)) {
      judgement.charge?.undo();
      const passed = { released: [], target: this.#boundTo() };
      return this.#judgedAgain(keptValues(command), judgement, passed, waiter);
    } else this.#passes(command, judgement, waiter);
    return judgement.answer;
  }

  /** It may be the first that touches a table, and end what its principal may do. What waits for people touches nothing yet. */
  #untouched(command: Command, judgement: Judgement): Judgement {
    const { answer, held } = judgement;
    if (answer.type === 'deny' || held || !isRun(command) || this.#review.concerns(reviewOf(judgement)))
      return judgement;
    const reason = this.#services.admissions.touches(this, answer.facts.actions);
    if (!reason) return judgement;
    judgement.charge?.undo();
    return otherwise(judgement, denied(command, reason));
  }

  /** Slips of the pen are no refusals, and budgets are counted by themselves. */
  #refused({ reason, syntaxError, unknownName, unusable }: Deny): void {
    this.denied++;
    if (reason || syntaxError || unknownName || unusable !== undefined) return;
    this.#services.admissions.trip(this, 'refusals');
  }

  /** What is only prepared counts when it runs, unless it never will. */
  #count(command: Command, { answer, held, matched }: Judgement): void {
    const { counters } = this.#services;
    if (answer.type === 'deny' || command.type !== 'sql' || command.phase === 'run')
      counters.rules.add(this.connection?.name ?? '', matched, this.lastActivity);
    if (answer.type !== 'deny' && !held) return;
    const rule = answer.type === 'deny' ? answer.rule : (held?.holds[0]?.rule ?? '');
    Counters.add(
      counters.judged,
      JSON.stringify([this.connection?.name ?? '', answer.type === 'deny' ? 'deny' : 'hold', rule]),
    );
  }

  #passes(command: Command, judgement: Judgement, waiter: Waiter | undefined): void {
    const { charge } = judgement;
    this.commands++;
    if (charge) this.#charges.add(command.id, charge);
    // Its agent makes the call, or does not, and an answer goes on as one of its request: nothing of it is at work here.
    if (command.type === 'tool' || command.type === 'answer') return this.record(givenOn(command));
    if (command.type !== 'sql') {
      this.#programs.set(command.id, endsByItself(command) ? 'ends' : 'endless');
      this.#answers.began(command);
      if (command.type === 'custom' && judgement.changes) this.#changes.told(command);
      return;
    }
    if (command.phase !== 'run') return;
    this.#running = command.id;
    this.#ran(command, judgement);
    this.#changes.ran(command, judgement, waiter === undefined);
  }

  /** Of what people look at before its COMMIT. */
  #ran(command: SqlCommand, judgement: Judgement): void {
    const { answer, reviewed } = judgement;
    if (!reviewed) return;
    const executed = executedIn(command, answer);
    const text = reviewed.text + this.#services.holds.executedInWords(executed);
    this.#review.ran(command, reviewOf(judgement), { text, executed });
  }

  /** Whoever waits for notifications has nothing to send, and is not idle. */
  get listens(): boolean {
    return this.#changes.listens;
  }

  /** It changes what people look at before it is committed, or it is that COMMIT. */
  async #reviewed(command: SqlCommand, judgement: Judgement, waiter: Waiter | undefined): Promise<Answer> {
    const rule = judgement.reviewed?.holds[0]?.rule;
    // It takes from budgets when it passes.
    judgement.charge?.undo();
    if (!waiter) return this.#refusedLate(command, denied(command, TOO_EARLY, rule));
    const target = this.#boundTo();
    this.#waiting++;
    const entered = await this.#review.enter(reviewOf(judgement), waiter).finally(() => this.#waiting--);
    if (entered.type === 'refuse') return this.#refusedLate(command, denied(command, entered.reason, rule));
    const asked = entered.type === 'ask' ? entered : undefined;
    const holds = [...(judgement.held?.holds ?? []), ...(asked?.holds ?? [])];
    if (holds.length > 0) {
      const text = judgement.held?.text ?? judgement.reviewed?.text ?? command.text;
      return this.#hold(command, judgement, { holds, text }, waiter, asked?.changes);
    }
    return this.#judgedAgain(command, judgement, { released: [], target }, waiter);
  }

  /** People are asked. What they released is judged again: rules, masks and the catalog are those of now. */
  async #hold(
    command: Command,
    judgement: Judgement,
    { holds, text, meaning }: NonNullable<Judgement['held']>,
    waiter: Waiter | undefined,
    changes?: ReviewedChanges,
  ): Promise<Answer> {
    if (!waiter) return this.#refusedLate(command, denied(command, TOO_EARLY));
    const { draining, holds: people } = this.#services;
    const kept = command.type === 'sql' ? keptValues(command) : command;
    const target = this.#boundTo();
    // Whoever waits for a while only sends it again.
    const comesBack = this.isVisit || waiter.maxWaitMs !== undefined;
    this.#waiting++;
    try {
      const refused = await people.release({
        session: this.id,
        principal: this.principal?.name ?? '',
        source: this.#source,
        connection: this.connection?.name ?? '',
        target,
        command: kept,
        meaning,
        executed: executedIn(kept, judgement.answer),
        text,
        holds,
        waits: this.#changes.waits && !holds.some(({ fail }) => fail),
        // Nobody repeats an answer.
        linger: comesBack && command.type !== 'answer' ? (this.connection?.http?.linger ?? 0) : undefined,
        state: this.#changes.stateOf(this.id),
        waiter: waiter,
        draining,
        changes,
        ...(changes && { watch: (withdraw) => this.#watchLocks(holds, withdraw) }),
        impact: (isOpen) =>
          changes ? this.#commitImpact(changes) : this.#impactOf(kept, judgement.answer, holds, isOpen),
      });
      this.lastActivity = Date.now();
      if (refused) {
        this.denied++;
        return refused;
      }
      return await this.#judgedAgain(kept, judgement, { released: holds, target }, waiter);
    } finally {
      this.#waiting--;
    }
  }

  /**
   * What has waited is judged again: rules, masks and the catalog are those of now. It passes by what people have `released` it by, and where
   * that is as it was.
   */
  async #judgedAgain(
    command: Command,
    judgement: Judgement,
    { released, target }: { readonly released: readonly AppliedHold[]; readonly target: string },
    waiter: Waiter,
  ): Promise<Answer> {
    const late = await this.#waitsForDefinitions(judgement, waiter);
    if (late) return this.#refusedLate(command, denied(command, { code: 'definitions-under-way', by: late.by }));
    if (this.#outdated) {
      this.end(this.#outdated);
      return this.#refusedLate(command, denied(command, OUTDATED));
    }
    const again = await (this.#judge ??= this.#services.judge(this)).judge(command, released);
    const terms = new Set(released.map((one) => termsOf([one])));
    const isSame = (again.held?.holds ?? []).every((one) => terms.has(termsOf([one]))) && target === this.#boundTo();
    const answer = this.#answerAgain(command, again, isSame, waiter);
    if (answer.type === 'deny') {
      again.charge?.undo();
      return answer;
    }
    this.#passes(command, { ...judgement, charge: again.charge }, waiter);
    return answer;
  }

  /** For what others define that it uses. */
  async #waitsForDefinitions(judgement: Judgement, waiter: Waiter): Promise<WaitedTooLong | undefined> {
    if (!behindIn(judgement)) return undefined;
    this.#waiting++;
    try {
      const before = await waiter.answersDelivered();
      const wait = behindIn(judgement);
      // Whoever does not wait any longer is told so by those who judge again.
      if (before === 'skipped' || !wait) return undefined;
      const signal = AbortSignal.any([waiter.signal, this.#services.draining]);
      const late = await wait(before === 'transaction', signal);
      return signal.aborted ? undefined : late;
    } finally {
      this.#waiting--;
    }
  }

  #answerAgain(command: Command, { answer }: Judgement, isSame: boolean, waiter: Waiter): Answer {
    if (waiter.signal.aborted) return this.#refusedLate(command, denied(command, CANCELLED));
    if (answer.type === 'deny') return this.#refusedLate(command, answer);
    if (!isSame) return this.#refusedLate(command, denied(command, CHANGED));
    const touched = isRun(command) ? this.#services.admissions.touches(this, answer.facts.actions) : undefined;
    if (touched) return this.#refusedLate(command, denied(command, touched));
    return this.#services.log.recording ? answer : denied(command, UNRECORDED);
  }

  #boundTo(): string {
    const { connection } = this;
    return connection ? boundTo(this.#opened ?? connection, this.#account, connection) : '';
  }

  /** Who asks, besides their name. */
  get #source(): Source {
    const { issuer, subject } = this.principal ?? {};
    return { issuer, subject, token: this.tokenId, makers: this.makers };
  }

  async #impactOf(
    command: Command,
    answer: Answer,
    holds: readonly AppliedHold[],
    isOpen: boolean,
  ): Promise<Impact | undefined> {
    if (command.type !== 'sql' || answer.type !== 'allow' || !this.#opened) return undefined;
    const open = (): Promise<Lookup> => this.#openLookup();
    const impact = await impactOf(command, answer.facts, this.#changes.sameNames, open);
    if (!holds.some(({ preview }) => preview === 'run')) return impact;
    const masks = (this.#judge ??= this.#services.judge(this)).everyMask;
    const asker = this.principal ? personOf(ownerOf(this.principal, this.makers)) : '';
    const preview = await previewOf({ command, facts: answer.facts, masks, asker }, this.#untriable(isOpen), open);
    return { ...(impact ?? { tables: [] }), preview };
  }

  /** Why what it sends would do something else on another connection: a phrase. */
  #untriable(isOpen: boolean): string | undefined {
    if (!this.#changes.sameNames) return 'the session has changed what names mean';
    if (!this.#changes.sameValues) return 'the session has changed settings by which a condition may find other rows';
    if (isOpen) return 'the session is in a transaction, of which nobody else sees what it has changed';
    return this.#account === '' ? undefined : 'the session is of another account than the gateway looks things up by';
  }

  #commitImpact(changes: ReviewedChanges): Promise<Impact> {
    return commitImpactOf(changes.tables, this.#holder, this.#changes.sameNames, () => this.#openLookup());
  }

  #watchLocks(holds: readonly AppliedHold[], withdraw: (why: string) => void): () => void {
    const mostMs = Math.min(...holds.flatMap(({ transaction }) => transaction?.lockWaitMs ?? []));
    return watchLocks(
      this.#holder,
      mostMs,
      () => this.#openLookup(),
      (seconds) => withdraw(`others have waited for its locks for ${seconds} s`),
    );
  }

  get #holder(): { readonly process: number; readonly user: string } {
    return { process: this.#process, user: this.#dialer?.login.user ?? '' };
  }

  async #openLookup(): Promise<Lookup> {
    if (!this.#opened) throw new Error('no connection before the login');
    return openTargetLookup(this.#opened, this.#services);
  }

  /** The record has the command as held: it says, too, what became of it. */
  #refusedLate(command: Command, answer: Deny): Deny {
    this.denied++;
    const summary = `refused by rule "${answer.rule}": ${answer.message}`;
    this.record({ type: 'end', command: command.id, outcome: 'error', summary, rows: 0, bytes: 0, data: [] });
    return answer;
  }

  /** Somebody has proven who they are, and may use the connection: what the protocol needs in order to open it. */
  begin(proven: LoginProof, connection: Connection, account: string): Admission {
    const services = this.#services;
    this.principal = proven.principal;
    this.#proof = proven;
    this.#account = account;
    this.tokenId = proven.tokenId;
    this.until = proven.endsSessions ? proven.expires : undefined;
    this.connection = connection;
    this.#opened = connection;
    this.masks = services.masks(connection);
    const { masks } = this;
    masks?.belongsTo(personOf(proven.principal), () => this.end({ code: 'long-row-unread' }));
    services.log.sessionOpened(this);
    const who = connection.annotate && annotationsOf(proven.principal, this.id);
    const { principal } = proven;
    this.#dialer = new TargetDialer(connection, services, this.id, this.signal, account, who, principal);
    return {
      type: 'admission',
      principal: proven.principal.name,
      connection: connection.name,
      target: this.#dialer.login,
      ...(masks instanceof MySqlMaskSession ? { packetMasks: masks } : masks && { masks }),
      ...(proven.without && { without: proven.without }),
      ...this.#seal(proven.principal, connection),
    };
  }

  /**
   * The same principal by the same token at the same connection: the session goes on as what it was opened as, with nothing of what
   * its client has set. Anybody else would be judged and recorded as somebody they are not.
   */
  again({ by, principal, tokenId }: LoginProof, connection: Connection): Admission | undefined {
    const first = this.#proof;
    const isSame = first?.by === by && first?.tokenId === tokenId && this.principal?.name === principal.name;
    if (!isSame || this.#opened?.name !== connection.name || !this.#dialer) return undefined;
    this.#changes.reset();
    return { type: 'admission', principal: principal.name, connection: connection.name, target: this.#dialer.login };
  }

  /** People have to agree first, unless they have: until then, the target is out of reach. */
  #seal(principal: Principal, connection: Connection): Pick<Admission, 'release'> {
    const { approval } = connection;
    if (!approval) return {};
    const { sessionApprovals: entrances } = this.#services;
    const target = (): string => this.#boundTo();
    const entrance = { session: this.id, principal, source: this.#source, connection, approval, target };
    if (entrances.granted(entrance)) return {};
    this.#sealed = true;
    return {
      release: async (say, gone) => {
        // People take longer than logins.
        clearTimeout(this.#deadline);
        const refused = await entrances.ask(entrance, say, AbortSignal.any([gone, this.signal]));
        if (refused) return refused;
        this.#deadline = this.#until(this.#services.handshake);
        this.#sealed = false;
        return undefined;
      },
    };
  }

  /** So much time from now on until the login has to be over, in milliseconds. */
  allow(time: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = this.#until(time);
  }

  #until(time: number): NodeJS.Timeout {
    return setTimeout(() => this.end({ code: 'login-too-slow' }), time);
  }

  /** Who made the token that it was opened with, or confirmed the login. */
  get makers(): readonly Maker[] {
    return this.#proof?.makers ?? [];
  }

  get claims(): Readonly<Record<string, readonly string[]>> | undefined {
    const { issuer, claims } = this.principal ?? {};
    const kept = claims && this.#services.identity.issuers?.get(issuer ?? '')?.record;
    const found = kept?.flatMap((name) => (claims?.[name] ? [[name, claims[name]] as const] : [])) ?? [];
    return found.length === 0 ? undefined : Object.fromEntries(found);
  }

  get address(): string {
    const at = this.client.slice(this.client.indexOf(' ') + 1);
    return at.slice(0, at.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  }

  #openDialer(): TargetDialer {
    if (this.#sealed) throw new Error('no connection before people have agreed to it');
    if (!this.#dialer) throw new Error('no connection before the login');
    return this.#dialer;
  }
}

const toldOf = ({ annotate, rows }: Connection): string => JSON.stringify([annotate, rows]);

const annotationsOf = ({ name, groups }: Principal, session: string): Target['annotations'] => ({
  'sluice.principal': name,
  'sluice.groups': JSON.stringify(groups),
  'sluice.session': session,
});

const isRun = (command: Command): command is SqlCommand => command.type === 'sql' && command.phase === 'run';

const reviewOf = ({ answer, reviewed }: Judgement): ReviewedFacts => ({
  facts: answer.type === 'allow' ? answer.facts : NO_FACTS,
  holds: reviewed?.holds ?? [],
});
const NO_FACTS: Facts = { actions: [], confidence: 'opaque', statements: [] };

const OUTDATED: DenyReason = { code: 'session-outdated' };
const CHANGED: DenyReason = { code: 'rules-changed' };
const CANCELLED: DenyReason = { code: 'cancelled' };

/** What a command waits for before it is sent, because others define something. */
const behindIn = ({ answer }: Judgement): BehindDefinitions | undefined =>
  answer.type === 'allow' ? answer.masking?.behind?.() : undefined;

/** A statement ends, and so do a program and a request; a shell or a connection that is switched or forwarded need not. */
const endsByItself = (command: Command): boolean =>
  command.type === 'exec' || (command.type === 'request' && command.upgrade === undefined);

const executedIn = (command: Command, answer: Answer): Readonly<Record<string, string>> =>
  command.type === 'sql' && answer.type === 'allow' ? executedBy(command, answer.facts) : {};

const ended = (signal: AbortSignal): string =>
  signal.aborted ? ENDING_KINDS[(signal.reason as Ending).code] : 'closed';
