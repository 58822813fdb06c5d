/** What a client asks for before its program starts. Owns: which requests are kept for the target. Does not: start anything. */
import { SshFields } from '@sluice/keys';
import type { Channel } from './channel.js';
import type { ClientContext } from './context.js';
import type { TerminalSize } from './terminal.js';
import { requestRefused } from './words.js';

/** Requests that are kept for the target until the program starts. */
const MAX_PENDING_REQUESTS = 200;
const HARMLESS_NAME = /^(LANG|LC_[A-Z]+)$/;
const HARMLESS_VALUE = /^[\w.@-]{0,40}$/;

export interface PendingRequestsPort {
  /** Nothing has started, so it is still time for what would be asked for now. */
  canStillAsk(): boolean;
  /** The program will have a terminal of this size. */
  terminal(size: TerminalSize): void;
  /** A line to whoever sits at the terminal. */
  say(text: string): void;
}

/**
 * What a client asks for before its program starts: a terminal, variables, forwarding of X11 and of the authentication agent. Each is
 * judged where that is needed and kept as it was sent, for the target. Does not: start anything.
 */
export class PendingRequests {
  readonly environment: [name: string, value: string][] = [];
  readonly #context: ClientContext;
  readonly #port: PendingRequestsPort;
  readonly #kept: { readonly name: string; readonly details: Buffer }[] = [];
  #pty: Buffer | undefined;

  constructor(context: ClientContext, port: PendingRequestsPort) {
    this.#context = context;
    this.#port = port;
  }

  get hasTerminal(): boolean {
    return this.#pty !== undefined;
  }

  /** Answers one request by `done`, perhaps later. */
  receive(name: string, body: Buffer, done: (success: boolean) => void): void {
    if (!this.#port.canStillAsk() || this.#kept.length >= MAX_PENDING_REQUESTS) return done(false);
    const details = Buffer.from(body);
    switch (name) {
      case 'pty-req':
        return done(this.#terminal(details));
      case 'env':
        return this.#variable(details, done);
      case 'auth-agent-req@openssh.com':
      case 'x11-req':
        return this.#forwarding(name, details, done);
      default:
        return done(false);
    }
  }

  /** The terminal has another size, which the target will hear of. False: there is no room to keep it. */
  resized(body: Buffer): void {
    if (this.#kept.length < MAX_PENDING_REQUESTS)
      this.#kept.push({ name: 'window-change', details: Buffer.from(body) });
  }

  /** Asks the target for all of it, and then to `start` the program. `noTerminal`: it gives none. */
  send(target: Channel, start: () => void, noTerminal: () => void): void {
    for (const { name, details } of this.#kept) if (name !== 'window-change') target.request(name, details);
    if (this.#pty) target.request('pty-req', this.#pty, (success) => !success && noTerminal());
    start();
    for (const { name, details } of this.#kept) if (name === 'window-change') target.request(name, details);
  }

  #terminal(details: Buffer): boolean {
    if (this.#context.without('terminal') || this.#pty) return false;
    const fields = new SshFields(details);
    fields.string();
    this.#port.terminal({ columns: fields.uint32(), rows: fields.uint32() });
    this.#pty = details;
    return true;
  }

  /** The locale is harmless and sent by everybody; anything else needs a rule. */
  #variable(details: Buffer, done: (success: boolean) => void): void {
    const fields = new SshFields(details);
    const [name, value] = [fields.text(), fields.text()];
    const take = (): void => {
      // A program that was judged without this variable must not get it.
      if (!this.#port.canStillAsk()) return done(false);
      this.environment.push([name, value]);
      this.#kept.push({ name: 'env', details });
      done(true);
    };
    if (HARMLESS_NAME.test(name) && HARMLESS_VALUE.test(value)) return take();
    const text = `environment ${name}=${value}`;
    this.#context.askForward({ kind: 'environment', text, path: name }, (answer) =>
      answer.type === 'allow' ? take() : done(false),
    );
  }

  #forwarding(name: string, details: Buffer, done: (success: boolean) => void): void {
    const kind = name === 'x11-req' ? 'x11' : 'agent';
    const text = kind === 'x11' ? 'forwarding of X11' : 'forwarding of the authentication agent';
    this.#context.askForward({ kind, text }, (answer) => {
      const isInTime = this.#port.canStillAsk();
      if (answer.type === 'deny' && this.#pty) this.#port.say(requestRefused(answer));
      if (answer.type === 'deny' || !isInTime) return done(false);
      this.#kept.push({ name, details });
      this.#context.expect(kind);
      done(true);
    });
  }
}
