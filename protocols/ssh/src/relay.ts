/**
 * One client that is logged in, and its target. Owns: both connections and their end. Does not: channels (session-channel.ts,
 * forwarding.ts).
 */
import type { Admission, Answer, Ending, Gate, WaitEnded, Menu, Notice, Waiter } from '@sluice/contract';
import { pack } from '@sluice/keys';
import { type MessageTransport, NOBODY } from './channel.js';
import type { ClientContext, ForwardWish, RunningProgram } from './context.js';
import { EndingPrograms } from './ending-programs.js';
import { Forwarding } from './forwarding.js';
import type { Clock } from './clock.js';
import { ChannelMux, type MuxEvents, type ChannelOpening } from './channel-mux.js';
import type { LoggedIn } from './login.js';
import { chooseFrom } from './menu.js';
import { Disconnect, OpenFailure } from './messages.js';
import { SessionChannel } from './session-channel.js';
import type { openTarget } from './upstream.js';
import * as words from './words.js';

/**
 * How often a peer is asked whether it is still there, in milliseconds, and how many answers may be missing. Often enough for
 * what forgets idle connections on the way; patient with a client that somebody has suspended.
 */
const KEEPALIVE_MS = 60_000;
const MAX_UNANSWERED_KEEPALIVES = 10;
/** How long a client has to read on its channels why its connection ends, in milliseconds. */
const LAST_WORDS_MS = 5_000;
/** How often a session that has to end when its channels are closed is looked at, in milliseconds. */
const LOOK_EVERY_MS = 100;

/** What is outside of the two connections. */
export interface RelaySurroundings {
  readonly clock: Clock;
  /** As `openTarget`, with a clock. */
  readonly openTarget: OpenTarget;
}
export type OpenTarget = typeof openTarget extends (clock: Clock, ...rest: infer R) => infer T
  ? (...rest: R) => T
  : never;

/** One client that is logged in, and its target. */
export class Relay implements ClientContext {
  readonly gate: Gate;
  readonly clock: Clock;
  readonly running = new Set<RunningProgram>();
  readonly ending: EndingPrograms;
  readonly client: ChannelMux;
  #admission: Admission | undefined;
  readonly #openTarget: OpenTarget;
  readonly #menu: Menu | undefined;
  readonly #message: string;
  #target: Promise<ChannelMux> | undefined;
  #targetMux: ChannelMux | undefined;
  readonly #forwarding: Forwarding;
  #ids = 0;
  #sessionsClosed = false;
  #over = false;
  #targetGone = false;
  #hadChannel = false;
  readonly #stopKeepalive: () => void;
  readonly #silent = new Map<ChannelMux, number>();
  readonly #gone = new AbortController();

  constructor(gate: Gate, transport: MessageTransport, who: LoggedIn, { clock, openTarget }: RelaySurroundings) {
    this.gate = gate;
    this.clock = clock;
    this.ending = new EndingPrograms(clock);
    this.#openTarget = openTarget;
    const events: MuxEvents = {
      opening: (opening) => this.#opening(opening),
      globalRequest: (request, body, answer) => this.#globalRequest(request, body, answer),
      broken: () => undefined,
    };
    this.client = new ChannelMux(transport, events);
    this.#forwarding = new Forwarding(this);
    this.#menu = 'menu' in who ? who.menu : undefined;
    this.#message = 'menu' in who ? who.message : '';
    if ('admission' in who) this.#admit(who.admission);
    this.#stopKeepalive = clock.every(KEEPALIVE_MS, () => this.#ping());
  }

  get shell(): 'sh' | 'bash' | 'opaque' {
    return this.#admission?.target.ssh?.shell ?? 'opaque';
  }

  get account(): string {
    return this.#admission?.target.user ?? '';
  }

  get menu(): boolean {
    return this.#admission === undefined;
  }

  nextId(): number {
    return ++this.#ids;
  }

  target(): Promise<ChannelMux> {
    if (!this.#target) throw new Error('no target before the login');
    return this.#target;
  }

  without(what: 'terminal' | 'forwarding' | 'agent' | 'x11'): boolean {
    return this.#admission?.without?.includes(what) ?? false;
  }

  expect(kind: 'agent' | 'x11'): void {
    this.#forwarding.expect(kind);
  }

  askForward(wish: ForwardWish, answered: (answer: Answer, id: number) => void): void {
    const kind = wish.kind === 'agent' || wish.kind === 'x11' ? wish.kind : 'forwarding';
    if (this.menu) return answered(words.NO_MACHINE_YET, 0);
    if (wish.kind !== 'environment' && this.without(kind)) return answered(words.NOT_BY_THIS_KEY, 0);
    const id = this.nextId();
    const waiter = this.#waiterFor(wish);
    const now = (answer: Answer): void => {
      // Nothing of it runs: each connection and each program is asked about by itself.
      if (answer.type === 'allow' && !waiter) this.#settled(id);
      answered(answer, id);
    };
    const late = (answer: Answer): void => {
      if (!this.#over) now(answer);
    };
    const answer = this.gate.ask({ type: 'forward', id, account: this.account, ...wish }, waiter);
    if (!(answer instanceof Promise)) now(answer);
    else void answer.then(late, () => late(words.REQUEST_UNJUDGED));
  }

  #settled(command: number): void {
    this.gate.record({ type: 'end', command, outcome: 'ok', summary: 'let through', rows: 0, bytes: 0, data: [] });
  }

  /** Connections wait for their answer; what is asked for ahead of a program does not. */
  #waiterFor({ kind }: ForwardWish): Waiter | undefined {
    if (kind === 'environment' || kind === 'agent' || kind === 'x11') return undefined;
    return { answersDelivered: () => Promise.resolve('idle'), say: () => undefined, signal: this.#gone.signal };
  }

  menuText(): string {
    return words.menuText(this.#message, this.#menu?.connections ?? []);
  }

  async choose(show: (text: string) => void, keys: (take: (bytes: Buffer) => void) => void): Promise<boolean> {
    const menu = this.#menu;
    if (!menu) return false;
    const connection = await chooseFrom(menu.connections, this.#message, show, keys);
    if (connection === undefined) return false;
    const result = await menu.choose(connection);
    if (result.type === 'refusal') {
      show(`sluice: ${words.loginRefused(result)}\n`);
      return false;
    }
    const say = (notice: Notice): void => show(`${words.sessionWaits(notice)}\n`);
    const refused = await result.release?.(say, this.#gone.signal);
    if (this.#over) return false;
    if (refused) {
      show(`sluice: ${words.loginRefused(refused)}\n`);
      return false;
    }
    this.#admit(result);
    return true;
  }

  /** The session has to end, and says why. */
  stop(ending: Ending): void {
    if (this.#over) return;
    const message = words.sessionEnds(ending);
    for (const program of this.running) program.fail(message);
    this.client.transport.disconnect(Disconnect.byApplication, message);
  }

  /** At the next moment when nothing runs. */
  drain(ending: Ending): void {
    const look = (): void => {
      if (this.#over) return;
      if (this.running.size === 0 && this.client.channels === 0) this.stop(ending);
      else this.clock.after(LOOK_EVERY_MS, look);
    };
    look();
  }

  /** The target's bytes end up at the client: what it cannot take is not read. */
  clientBusy(busy: boolean): void {
    this.#targetMux?.transport.hold(busy);
  }

  /** The client is gone. */
  lost(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopKeepalive();
    this.#gone.abort('gone' satisfies WaitEnded);
    this.client.lost();
    // Before the target's channels are gone, which would be an end like any other.
    for (const program of this.running) program.fail(words.CLIENT_GONE, 'lost');
    this.ending.whenOver(() => this.#targetMux?.transport.disconnect(Disconnect.byApplication, ''));
  }

  #admit(admission: Admission): void {
    this.#admission = admission;
    const events: MuxEvents = {
      opening: (opening) => this.#forwarding.fromTarget(opening),
      // Host keys that are announced, keep-alives: nothing that a client has to know.
      globalRequest: (_, __, answer) => answer(false),
      broken: (why) => this.#targetLost(words.targetBroke(why)),
    };
    this.#target = this.#openTarget(this.gate, admission.target, events, (error) =>
      this.#targetLost(words.targetLost(error?.message)),
    );
    this.#target.then(
      (mux) => {
        if (this.#over) return mux.transport.disconnect(Disconnect.byApplication, '');
        this.#targetMux = mux;
        this.gate.opened();
      },
      (error: unknown) => {
        this.gate.opened();
        const { message } = error as Error;
        this.gate.targetFailed(message);
        for (const program of this.running) program.fail(message);
        // A client that keeps its connection for later would keep a dead one. Its first channel may be on its way.
        this.#endWhenTold(message, () => this.#hadChannel);
      },
    );
  }

  /** The first reason counts: a connection that broke then ends as well. */
  #targetLost(message: string): void {
    if (this.#over || this.#targetGone) return;
    this.#targetGone = true;
    for (const program of this.running) program.fail(message, 'lost');
    this.#target = Promise.reject(new Error(message));
    this.#target.catch(() => undefined);
    this.#endWhenTold(message, () => true);
  }

  /** When a connection ends, OpenSSH's client drops what it has not shown yet: so the client closes its channels first. */
  #endWhenTold(message: string, canBeTold: () => boolean): void {
    const latest = this.clock.now() + LAST_WORDS_MS;
    const look = (): void => {
      if (this.#over) return;
      const isTold = this.client.channels === 0 && canBeTold();
      if (!isTold && this.clock.now() < latest) return void this.clock.after(LOOK_EVERY_MS, look);
      this.client.transport.disconnect(Disconnect.byApplication, message);
    };
    this.clock.after(LOOK_EVERY_MS, look);
  }

  #opening(opening: ChannelOpening): void {
    if (opening.type !== 'session') return this.#forwarding.fromClient(opening);
    if (this.#sessionsClosed) return opening.refuse(OpenFailure.prohibited, words.NO_MORE_SESSIONS);
    this.#hadChannel = true;
    const channel = opening.accept(NOBODY);
    channel.events = new SessionChannel(this, channel);
  }

  #globalRequest(name: string, body: Buffer, answer: (success: boolean, details?: Uint8Array) => void): void {
    if (name === 'no-more-sessions@openssh.com') {
      this.#sessionsClosed = true;
      return answer(true);
    }
    if (/^(cancel-)?(tcpip-forward|streamlocal-forward@openssh\.com)$/.test(name)) {
      return this.#forwarding.globalRequest(name, body, answer);
    }
    answer(false);
  }

  #ping(): void {
    for (const mux of [this.client, this.#targetMux]) {
      if (!mux || mux.transport.over || !mux.transport.reading) continue;
      const silent = this.#silent.get(mux) ?? 0;
      if (silent >= MAX_UNANSWERED_KEEPALIVES) {
        mux.transport.disconnect(Disconnect.byApplication, 'no answer to keep-alives');
        continue;
      }
      this.#silent.set(mux, silent + 1);
      mux.globalRequest('keepalive@openssh.com', pack(), () => this.#silent.set(mux, 0));
    }
  }
}
