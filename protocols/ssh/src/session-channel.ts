/**
 * A session channel (RFC 4254 section 6): one command, shell or subsystem. Owns: what each change of its state does. Does not:
 * which state follows which (session-state.ts).
 */
import type { Allow, Answer, Deny, WaitEnded, Waiter } from '@sluice/contract';
import { SshFields } from '@sluice/keys';
import { type Channel, type ChannelEvents, NOBODY, details } from './channel.js';
import type { ClientContext } from './context.js';
import { WindowRelay } from './window-relay.js';
import type { ChannelMux } from './channel-mux.js';
import { STDERR } from './messages.js';
import { PendingRequests } from './pending-requests.js';
import { Program } from './program.js';
import { ProgramInput } from './program-input.js';
import { SHELL, type StartRequest, isExit, isStart, readExit, readStart } from './session-requests.js';
import { type AtTarget, type SessionEvent, type SessionState, nextState } from './session-state.js';
import { Terminal, type TerminalSize } from './terminal.js';
import * as words from './words.js';

/** What a shell says of a command that it may not run. */
const EXIT_REFUSED = 126;
/** As after Ctrl+C. */
const EXIT_CANCELLED = 130;
/** What timeout(1) says of a command whose time was over. */
const EXIT_TIMEOUT = 124;
/** What OpenSSH's client says of a connection that failed. */
const EXIT_UNREACHABLE = 255;
/** Nothing was chosen in the menu. */
const EXIT_NO_MACHINE = 1;
/** How long the target may take to close its channel once the client has closed, in milliseconds. */
const LINGER_MS = 5_000;
const CTRL_C = 3;

/** Requests of a client that a running program is told of as they are. */
const PASSED_TO_TARGET = new Set(['signal', 'window-change', 'break', 'xon-xoff', 'eow@openssh.com']);

const NO_STATUS = { summary: 'ended without a status', failed: false };

/**
 * A session channel (RFC 4254 section 6): one command, shell or subsystem, judged before the target hears of it. Has the state of
 * the channel and does what a change of it means. Which state follows which is in `session-state.ts`.
 */
export class SessionChannel implements ChannelEvents {
  readonly #context: ClientContext;
  readonly #client: Channel;
  readonly #input: ProgramInput;
  readonly #requests: PendingRequests;
  #state: SessionState = { type: 'collecting' };
  /** While its program has a time of its own. */
  #stopTimer: (() => void) | undefined;

  constructor(context: ClientContext, client: Channel) {
    this.#context = context;
    this.#client = client;
    this.#input = new ProgramInput(client, (bytes) => this.#toTarget(bytes));
    this.#requests = new PendingRequests(context, {
      canStillAsk: () => this.#state.type === 'collecting',
      terminal: (size) => this.#makeTerminal(size),
      say: (text) => this.#say(text),
    });
  }

  data(bytes: Buffer): void {
    const state = this.#state;
    if (state.type === 'choosing') state.keys(bytes);
    if (state.type === 'ended' || state.type === 'choosing') return this.#client.consumed(bytes.length);
    if (this.#requests.hasTerminal && bytes.includes(CTRL_C)) this.#stopWaiting('cancelled');
    this.#input.data(bytes);
  }

  eof(): void {
    this.#input.eof();
  }

  request(name: string, wantReply: boolean, body: Buffer): void {
    const done = (success: boolean): void => {
      if (wantReply) this.#client.reply(success);
    };
    if (isStart(name)) this.#start(name, body, done);
    else if (PASSED_TO_TARGET.has(name)) this.#passOn(name, wantReply, body, done);
    else this.#requests.receive(name, body, done);
  }

  sent(): void {
    this.#atTarget?.window.returnWindow();
  }

  closed(): void {
    this.#input.terminal?.stop();
    const state = this.#state;
    if (state.type !== 'running') {
      this.#end('lost', 'the client was gone before it started');
      return this.#client.close();
    }
    const { target } = state;
    const late = (): void => {
      target.close(true);
      this.#client.close();
    };
    this.#become({ type: 'leave', stopWaiting: this.#context.clock.after(LINGER_MS, late) });
    // The target is told at once if it has all of the input, and otherwise not much later.
    target.close();
  }

  /** The session is killed, or (`lost`) one of its two connections is gone. */
  fail(message: string, outcome: 'error' | 'lost' = 'error'): void {
    if (this.#state.type === 'collecting' || this.#state.type === 'ended') return;
    this.#say(message);
    this.#finish(EXIT_UNREACHABLE, message, outcome);
  }

  get #atTarget(): AtTarget | undefined {
    const state = this.#state;
    return state.type === 'running' || state.type === 'leaving' ? state : undefined;
  }

  /** What was let through and has not ended. */
  get #program(): Program | undefined {
    return 'program' in this.#state ? this.#state.program : undefined;
  }

  /** @returns whether the event has a place in the present state, which is another one now */
  #become(event: SessionEvent): boolean {
    const before = this.#state;
    this.#state = nextState(before, event);
    return this.#state !== before;
  }

  /** A line to whoever sits there, on standard error. */
  #say(text: string): void {
    const end = this.#requests.hasTerminal ? '\r\n' : '\n';
    this.#client.write(Buffer.from(`sluice: ${text.replaceAll('\n', end)}${end}`), STDERR);
  }

  /** Whoever is asked need not answer any more. */
  #stopWaiting(reason: WaitEnded): void {
    if (this.#state.type === 'asking') this.#state.waiter.abort(reason);
  }

  #makeTerminal(size: TerminalSize): void {
    this.#input.terminal = new Terminal(this.#context, size, {
      forward: (bytes) => this.#toTarget(bytes),
      say: (text) => this.#say(text),
      record: (stream, bytes) => this.#program?.recordPart(stream, bytes),
      environment: this.#requests.environment,
      inputForwarded: () => this.#input.left(),
      newLine: () => this.#program?.newLine(),
    });
  }

  #passOn(name: string, wantReply: boolean, body: Buffer, done: (success: boolean) => void): void {
    const isResize = name === 'window-change';
    if (isResize) {
      const fields = new SshFields(body);
      this.#input.terminal?.resize({ columns: fields.uint32(), rows: fields.uint32() });
    }
    if (name === 'signal') this.#stopWaiting('cancelled');
    const target = this.#atTarget?.target;
    if (target) return target.request(name, body, wantReply ? done : undefined);
    if (isResize) this.#requests.resized(body);
    done(isResize);
  }

  #start(kind: StartRequest['kind'], body: Buffer, done: (success: boolean) => void): void {
    if (this.#state.type !== 'collecting' || this.#input.ended) return done(false);
    this.#context.running.add(this);
    done(true);
    let start: StartRequest;
    try {
      start = readStart(kind, body);
    } catch (error) {
      this.#say(words.notRun((error as Error).message));
      return this.#finish(EXIT_REFUSED);
    }
    if (!this.#context.menu) return this.#run(start);
    if (kind === 'shell') return this.#choose();
    this.#say(this.#context.menuText());
    this.#finish(EXIT_NO_MACHINE);
  }

  #choose(): void {
    const context = this.#context;
    if (!this.#requests.hasTerminal) {
      this.#client.write(Buffer.from(`${context.menuText()}\n`));
      return this.#finish(EXIT_NO_MACHINE);
    }
    this.#become({ type: 'choose', keys: () => undefined });
    const show = (text: string): void => this.#client.write(Buffer.from(text.replaceAll('\n', '\r\n')));
    context
      .choose(show, (keys) => void this.#become({ type: 'choose', keys }))
      .then(
        (chosen) => {
          if (chosen) this.#run(SHELL);
          else this.#finish(EXIT_NO_MACHINE);
        },
        () => this.#finish(EXIT_NO_MACHINE),
      );
  }

  #run(start: StartRequest): void {
    this.#askAndOpen(start).catch(() => this.fail(words.DEFECT));
  }

  async #askAndOpen(start: StartRequest): Promise<void> {
    const waiter = new AbortController();
    if (!this.#become({ type: 'ask', waiter })) return;
    const id = this.#context.nextId();
    const answer = await this.#judged(start, id, waiter.signal);
    if (answer.type === 'deny') return this.#refused(answer);
    if (!this.#allowed(answer, id)) return;
    let mux: ChannelMux;
    try {
      mux = await this.#context.target();
    } catch (error) {
      return this.fail((error as Error).message);
    }
    if (this.#state.type !== 'opening') return;
    mux.open('session', Buffer.alloc(0), {
      opened: (channel) => this.#opened(channel, start),
      refused: (_, why) => this.fail(words.noChannel(why)),
    });
  }

  async #judged({ kind, text }: StartRequest, id: number, signal: AbortSignal): Promise<Answer> {
    const { gate, shell, account } = this.#context;
    const base = { id, text, account };
    const { environment, hasTerminal: terminal } = this.#requests;
    const waiter: Waiter = {
      answersDelivered: () => Promise.resolve('idle'),
      say: (notice) => this.#say(words.commandWaits(notice)),
      signal,
    };
    try {
      if (kind === 'subsystem') return await gate.ask({ type: 'subsystem', ...base }, waiter);
      return await gate.ask({ type: kind, ...base, shell, environment, terminal }, waiter);
    } catch {
      return words.COMMAND_UNJUDGED;
    }
  }

  #refused(deny: Deny): void {
    if (this.#state.type !== 'asking') return;
    this.#say(words.commandRefused(deny));
    this.#finish(deny.reason?.code === 'cancelled' ? EXIT_CANCELLED : EXIT_REFUSED);
  }

  /** @returns false where nobody waits for it any more: the record has its end then */
  #allowed(answer: Allow, id: number): boolean {
    const { gate, clock } = this.#context;
    const { hasTerminal } = this.#requests;
    const program = new Program(
      gate,
      clock,
      { id, answer, hasTerminal },
      {
        deliver: (bytes, type) => this.#deliver(bytes, type),
        failed: () => this.fail(words.UNMASKABLE),
      },
    );
    if (!this.#become({ type: 'allow', program })) {
      program.end('lost', 'nobody waited for it any more when it was let through');
      return false;
    }
    this.#input.terminal?.started(id);
    return true;
  }

  /** The target's channel is there: what the client wants before its program is asked for, and then the program. */
  #opened(target: Channel, { kind, details: body }: StartRequest): ChannelEvents {
    const program = this.#program;
    const window = new WindowRelay(target, () => this.#client.waiting);
    if (!program || !this.#become({ type: 'open', target, window })) {
      target.close();
      return NOBODY;
    }
    const start = (): void =>
      target.request(kind, body, (success) => {
        if (success) return;
        target.close(true);
        this.fail(words.notStarted(kind));
      });
    const { meter } = program;
    if (meter?.timeoutMs !== undefined)
      this.#stopTimer = this.#context.clock.after(meter.timeoutMs, () => this.#cut(meter.expire()));
    this.#requests.send(target, start, () => this.#say(words.NO_TERMINAL));
    this.#input.connect(target);
    return {
      data: (bytes, type) => {
        program.output(bytes, type);
        window.came(bytes.length);
      },
      eof: () => {
        program.outputEnded();
        this.#client.eof();
      },
      request: (name, wantReply, more) => this.#fromTarget(target, name, wantReply, more),
      sent: () => this.#input.left(),
      closed: () => this.#targetClosed(program),
    };
  }

  #toTarget(bytes: Buffer): void {
    const running = this.#atTarget;
    running?.program.input(bytes);
    running?.target.write(bytes);
  }

  #deliver(bytes: Buffer, type: number): void {
    const program = this.#program;
    if (!program || bytes.length === 0) return;
    if (program.meter?.take(0, bytes.length) === false) return this.#cut(program.meter.ended);
    this.#input.terminal?.output(bytes);
    if (program.recordOutput(bytes, type)) this.#client.write(bytes, type);
    else this.fail(words.RECORD_FULL);
  }

  /** Nothing more of its output is for the client, and nobody waits for it to end by itself. */
  #cut(why: Deny | undefined): void {
    if (!why || this.#state.type === 'ended') return;
    this.#stopTimer?.();
    this.#say(words.commandRefused(why));
    const { reason } = why;
    const isLate = reason?.code === 'answer-bound' && reason.unit === 'timeout';
    this.#finish(isLate ? EXIT_TIMEOUT : EXIT_REFUSED, why.message);
  }

  #fromTarget(target: Channel, name: string, wantReply: boolean, more: Buffer): void {
    if (isExit(name)) {
      if (this.#become({ type: 'exit', exit: readExit(name, more) })) this.#client.later(name, Buffer.from(more));
    } else if (name === 'eow@openssh.com' || name === 'xon-xoff') this.#client.request(name, Buffer.from(more));
    // Everything else, keep-alives too, is between the target and the gateway.
    if (wantReply) target.reply(false);
  }

  #targetClosed(program: Program): void {
    program.outputEnded();
    const running = this.#atTarget;
    if (!running) return;
    const { summary, failed } = running.exit ?? NO_STATUS;
    this.#end(failed ? 'error' : 'ok', summary);
    running.target.close();
    this.#client.close();
  }

  /** Ends the channel in the place of a program: with a status, and a reason for the record. */
  #finish(status: number, reason: string = NO_STATUS.summary, outcome: 'error' | 'lost' = 'error'): void {
    if (this.#state.type === 'ended') return;
    const target = this.#atTarget?.target;
    this.#client.later('exit-status', details(status));
    this.#client.eof();
    this.#end(outcome, reason);
    // A terminal that is closed ends its programs; others may run on, whoever is gone.
    if (target && outcome === 'error' && !this.#requests.hasTerminal) this.#context.ending.end(target);
    else target?.close(true);
    this.#client.close();
  }

  #end(outcome: 'ok' | 'error' | 'lost', reason: string): void {
    const before = this.#state;
    if (!this.#become({ type: 'end' })) return;
    this.#context.running.delete(this);
    this.#stopTimer?.();
    if (before.type === 'asking') before.waiter.abort('gone' satisfies WaitEnded);
    if (before.type === 'leaving') before.stopWaiting();
    if ('program' in before) before.program.end(outcome, reason);
  }
}
