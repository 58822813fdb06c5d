import type { Allow, Answer, Deny, Impatience, Patience, ResponsePart, StreamEditor } from '@sluice/contract';
import { Fields, KeyError } from '@sluice/keys';
import { Backlog } from './backlog.js';
import { type Channel, type ChannelEvents, details } from './channel.js';
import { Flow } from './flow.js';
import type { Leg } from './leg.js';
import { STDERR } from './messages.js';
import type { Context } from './context.js';
import { Tally } from './tally.js';
import { Terminal } from './terminal.js';

/** What a shell says of a command that it may not run. */
const REFUSED = 126;
/** As after Ctrl+C. */
const CANCELLED = 130;
/** What OpenSSH's client says of a connection that failed. */
const UNREACHABLE = 255;
/** How long input may take to leave when its sender has closed, in milliseconds. */
const LINGER = 5_000;
const CTRL_C = 3;
/** Variables and requests of one program that are kept before it starts. */
const WISHES = 200;

type Kind = 'exec' | 'shell' | 'subsystem';

/** Requests of a client that a running program is told of as they are. */
const PASSED = new Set(['signal', 'window-change', 'break', 'xon-xoff', 'eow@openssh.com']);
/** What a program's end and its reading say. */
const ENDINGS = new Set(['exit-status', 'exit-signal']);

/** A session channel (RFC 4254 section 6): one command, shell or subsystem, judged before the target hears of it. */
export class Program implements ChannelEvents {
  readonly #context: Context;
  readonly #client: Channel;
  #target: Channel | undefined;
  #id = 0;
  #started = false;
  #ended = false;
  /** The menu has the keyboard. */
  #keys: ((bytes: Buffer) => void) | undefined;
  /** The answer was yes: the record waits for an end. */
  #let = false;
  /** Input that came before the target can have it. */
  readonly #early = new Backlog();
  #earlyEof = false;
  readonly #in: Flow;
  #out: Flow | undefined;
  #patience: AbortController | undefined;
  /** As the client sent them, for the target. */
  #pty: Buffer | undefined;
  readonly #wishes: { readonly name: string; readonly details: Buffer }[] = [];
  readonly #environment: [string, string][] = [];
  #terminal: Terminal | undefined;
  #editors: { readonly out: StreamEditor; readonly err: StreamEditor } | undefined;
  /** What has come for them in this turn, in order. */
  #gathered: { readonly type: number; readonly chunks: Buffer[] }[] = [];
  readonly #timers = new Map<StreamEditor, NodeJS.Timeout>();
  #transfer = false;
  #tallies = { in: new Tally(false), out: new Tally(false), err: new Tally(false) };
  /** Of what is recorded of the answer, bytes. */
  #recorded = 0;
  #exit = 'ended without a status';
  #failed = false;

  constructor(context: Context, client: Channel) {
    this.#context = context;
    this.#client = client;
    this.#in = new Flow(client, () => this.#early.size + (this.#target?.waiting ?? 0) + (this.#terminal?.waiting ?? 0));
  }

  data(bytes: Buffer): void {
    if (this.#keys) this.#keys(bytes);
    if (this.#ended || this.#keys) return this.#client.consumed(bytes.length);
    if (this.#patience && this.#pty && bytes.includes(CTRL_C)) this.#patience.abort('cancelled' satisfies Impatience);
    if (this.#target) this.#input(bytes);
    else this.#early.add(bytes, 0);
    this.#in.came(bytes.length);
  }

  eof(): void {
    if (this.#target) this.#target.eof();
    else this.#earlyEof = true;
  }

  request(name: string, wantReply: boolean, body: Buffer): void {
    const done = (success: boolean): void => {
      if (wantReply) this.#client.reply(success);
    };
    if (name === 'exec' || name === 'shell' || name === 'subsystem') return this.#start(name, body, done);
    if (PASSED.has(name)) return this.#pass(name, wantReply, body, done);
    if (this.#started || this.#wishes.length >= WISHES) return done(false);
    switch (name) {
      case 'pty-req':
        if (this.#context.without('terminal') || this.#pty) return done(false);
        this.#pty = Buffer.from(body);
        this.#terminal = this.#makeTerminal(new Fields(body));
        return done(true);
      case 'env':
        return this.#variable(new Fields(body), Buffer.from(body), done);
      case 'auth-agent-req@openssh.com':
      case 'x11-req':
        return this.#extra(name, Buffer.from(body), done);
      default:
        return done(false);
    }
  }

  sent(): void {
    this.#out?.settle();
  }

  closed(): void {
    this.#patience?.abort('gone' satisfies Impatience);
    this.#terminal?.stop();
    const target = this.#target;
    if (!target) return this.#client.close();
    // The target is told at once if it has all of the input, and otherwise not much later.
    target.close();
    const late = (): void => {
      target.close(true);
      this.#client.close();
    };
    setTimeout(late, LINGER).unref();
  }

  /** The session is killed, or the target gone. */
  fail(message: string): void {
    if (this.#ended || !this.#started) return;
    this.#failed = true;
    this.#exit = message;
    this.#say(message);
    this.#finish(UNREACHABLE);
  }

  /** A line to whoever sits there, on standard error. */
  #say(text: string): void {
    const end = this.#pty ? '\r\n' : '\n';
    this.#client.write(Buffer.from(`sluice: ${text.replaceAll('\n', end)}${end}`), STDERR);
  }

  #makeTerminal(fields: Fields): Terminal {
    fields.string();
    return new Terminal(
      this.#context,
      { columns: fields.uint32(), rows: fields.uint32() },
      {
        forward: (bytes) => this.#toTarget(bytes),
        say: (text) => this.#say(text),
        record: (stream, bytes) => this.#recordPart(stream, bytes),
        environment: this.#environment,
        settled: () => this.#in.settle(),
        newLine: () => {
          this.#recorded = 0;
        },
      },
    );
  }

  /** The locale is harmless and sent by everybody; anything else needs a rule. */
  #variable(fields: Fields, body: Buffer, done: (success: boolean) => void): void {
    const name = fields.text();
    const value = fields.text();
    const harmless = /^(LANG|LC_[A-Z]+)$/.test(name) && /^[\w.@-]{0,40}$/.test(value);
    const taken = (): void => {
      this.#environment.push([name, value]);
      this.#wishes.push({ name: 'env', details: body });
      done(true);
    };
    if (harmless) return taken();
    const text = `environment ${name}=${value}`;
    this.#context.askBeside({ kind: 'environment', text, path: name }, (answer) =>
      answer.type === 'allow' ? taken() : done(false),
    );
  }

  #extra(name: string, body: Buffer, done: (success: boolean) => void): void {
    const kind = name === 'x11-req' ? 'x11' : 'agent';
    const text = kind === 'x11' ? 'forwarding of X11' : 'forwarding of the authentication agent';
    this.#context.askBeside({ kind, text }, (answer) => {
      if (answer.type === 'allow') {
        this.#wishes.push({ name, details: body });
        this.#context.expect(kind);
      } else if (this.#pty) this.#say(`${answer.message}${answer.hint === undefined ? '' : ` ${answer.hint}`}`);
      done(answer.type === 'allow');
    });
  }

  #pass(name: string, wantReply: boolean, body: Buffer, done: (success: boolean) => void): void {
    if (name === 'window-change') {
      const fields = new Fields(body);
      this.#terminal?.resize({ columns: fields.uint32(), rows: fields.uint32() });
    }
    if (this.#patience && name === 'signal') this.#patience.abort('cancelled' satisfies Impatience);
    if (this.#target) return this.#target.request(name, body, wantReply ? done : undefined);
    if (name === 'window-change' && this.#wishes.length < WISHES)
      this.#wishes.push({ name, details: Buffer.from(body) });
    done(name === 'window-change');
  }

  #start(kind: Kind, body: Buffer, done: (success: boolean) => void): void {
    if (this.#started || this.#earlyEof) return done(false);
    this.#started = true;
    this.#context.running.add(this);
    done(true);
    let text = '';
    try {
      const fields = new Fields(body);
      if (kind !== 'shell') text = fields.text();
      if (text.includes('\0')) throw new KeyError('a NUL byte is in it');
    } catch (error) {
      this.#say(`This command was not run: ${(error as Error).message}.`);
      return this.#finish(REFUSED);
    }
    if (this.#context.menu && kind === 'shell') return this.#choose();
    if (this.#context.menu) {
      this.#say(this.#context.menuText());
      return this.#finish(1);
    }
    this.#run(kind, text, Buffer.from(body));
  }

  #choose(): void {
    const { context, terminal } = { context: this.#context, terminal: this.#terminal };
    if (!terminal) {
      this.#client.write(Buffer.from(`${context.menuText()}\n`));
      return this.#finish(1);
    }
    const show = (text: string): void => this.#client.write(Buffer.from(text.replaceAll('\n', '\r\n')));
    const keys = (take: (bytes: Buffer) => void): void => {
      this.#keys = take;
    };
    context.choose(show, keys).then(
      (chosen) => {
        this.#keys = undefined;
        if (this.#client.closed) return;
        if (chosen) this.#run('shell', '', Buffer.alloc(0));
        else this.#finish(1);
      },
      () => this.#finish(1),
    );
  }

  #run(kind: Kind, text: string, body: Buffer): void {
    this.#ask(kind, text, body).catch(() => this.fail('Something went wrong in the gateway, so this was not run.'));
  }

  async #ask(kind: Kind, text: string, body: Buffer): Promise<void> {
    this.#id = this.#context.nextId();
    const answer = await this.#judge(kind, text);
    if (answer.type === 'deny') {
      const { message, rule, hint, cancelled } = answer;
      this.#say(cancelled ? message : `${message} (rule "${rule}")${hint === undefined ? '' : `\nsluice: ${hint}`}`);
      return this.#finish(cancelled ? CANCELLED : REFUSED);
    }
    this.#allowed(answer);
    if (this.#client.closed) return this.#end('lost', 'the client was gone before it started');
    let leg: Leg;
    try {
      leg = await this.#context.target();
    } catch (error) {
      return this.fail((error as Error).message);
    }
    if (this.#ended) return;
    if (this.#client.closed) return this.#end('lost', 'the client was gone before it started');
    leg.open('session', Buffer.alloc(0), {
      opened: (channel) => this.#opened(channel, kind, body),
      refused: (_, why) => this.fail(`The target gives no channel for it: ${why}.`),
    });
  }

  async #judge(kind: Kind, text: string): Promise<Answer> {
    const { gate, shell, account } = this.#context;
    const base = { id: this.#id, text, account };
    const rest = { shell, environment: this.#environment, terminal: this.#pty !== undefined };
    const controller = new AbortController();
    this.#patience = controller;
    const patience: Patience = {
      settled: () => Promise.resolve('idle'),
      say: (sentence, hint) => this.#say(`${sentence}${hint === undefined ? '' : `\nsluice: ${hint}`}`),
      signal: controller.signal,
    };
    try {
      if (kind === 'subsystem') return await gate.ask({ type: 'subsystem', ...base }, patience);
      return await gate.ask({ type: kind, ...base, ...rest }, patience);
    } catch {
      return UNJUDGED;
    } finally {
      this.#patience = undefined;
    }
  }

  #allowed({ facts, stream }: Allow): void {
    this.#let = true;
    // A copy beside another command must not keep what that prints out of the record.
    this.#transfer = facts.actions.every(({ effects }) => effects.includes('transfer'));
    this.#tallies = { in: new Tally(this.#transfer), out: new Tally(this.#transfer), err: new Tally(false) };
    if (stream) this.#editors = { out: stream(), err: stream() };
    this.#terminal?.started(this.#id);
  }

  /** The target's channel is there: what the client wished for is asked of it, and then the command. */
  #opened(channel: Channel, kind: Kind, body: Buffer): ChannelEvents {
    const client = this.#client;
    if (this.#ended || client.closed) {
      channel.close();
      if (!this.#ended) this.#end('lost', 'the client was gone before it started');
      return { data: () => undefined, eof: () => undefined, request: () => undefined, closed: () => undefined };
    }
    this.#target = channel;
    const out = new Flow(channel, () => client.waiting);
    this.#out = out;
    for (const { name, details: wish } of this.#wishes) if (name !== 'window-change') channel.request(name, wish);
    if (this.#pty) {
      channel.request('pty-req', this.#pty, (success) => {
        if (!success) this.#say('The target gives no terminal.');
      });
    }
    channel.request(kind, body, (success) => {
      if (!success && !this.#ended) this.fail(`The target does not run it (${kind} was refused).`);
    });
    for (const { name, details: wish } of this.#wishes) if (name === 'window-change') channel.request(name, wish);
    const early = this.#early.take();
    if (early.length > 0) this.#input(early);
    if (this.#earlyEof) channel.eof();
    this.#in.settle();
    return {
      data: (bytes, type) => {
        this.#output(bytes, type);
        out.came(bytes.length);
      },
      eof: () => {
        this.#flushEditors();
        client.eof();
      },
      request: (name, wantReply, more) => this.#fromTarget(name, wantReply, more),
      sent: () => this.#in.settle(),
      closed: () => this.#targetClosed(),
    };
  }

  #input(bytes: Buffer): void {
    if (this.#terminal) this.#terminal.input(bytes);
    else this.#toTarget(bytes);
  }

  #toTarget(bytes: Buffer): void {
    this.#tallies.in.add(bytes);
    this.#target?.write(bytes);
  }

  #output(bytes: Buffer, type: number): void {
    if (!this.#editors) return this.#deliver(bytes, type);
    // An editor looks again at what it holds: once for all that comes in a turn, and not for each of a thousand packets.
    if (this.#gathered.length === 0) setImmediate(() => this.#editGathered());
    const last = this.#gathered.at(-1);
    const copy = Buffer.from(bytes);
    if (last?.type === type) last.chunks.push(copy);
    else this.#gathered.push({ type, chunks: [copy] });
  }

  #editGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    const editors = this.#editors;
    if (!editors || this.#ended) return;
    this.#edited(() => {
      for (const { type, chunks } of gathered) {
        const editor = editors[type === STDERR ? 'err' : 'out'];
        this.#deliver(editor.push(Buffer.concat(chunks)), type);
        this.#arm(editor, type);
      }
    });
  }

  /** What an editor keeps goes out when nothing has followed it for as long as it is worth waiting. */
  #arm(editor: StreamEditor, type: number): void {
    clearTimeout(this.#timers.get(editor));
    if (editor.held === 0) return void this.#timers.delete(editor);
    const release = (): void => {
      if (!this.#ended) this.#edited(() => this.#deliver(editor.release(), type));
    };
    this.#timers.set(editor, setTimeout(release, editor.patience));
  }

  #flushEditors(): void {
    this.#editGathered();
    const editors = this.#editors;
    if (!editors) return;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#edited(() => {
      this.#deliver(editors.out.end(), 0);
      this.#deliver(editors.err.end(), STDERR);
      this.#editors = undefined;
    });
  }

  /** A mask that cannot be applied lets nothing through. */
  #edited(act: () => void): void {
    try {
      act();
    } catch {
      this.fail('The output could not be masked, so it ends here.');
    }
  }

  #deliver(bytes: Buffer, type: number): void {
    if (bytes.length === 0) return;
    const stream = type === STDERR ? 'err' : 'out';
    this.#tallies[stream].add(bytes);
    this.#terminal?.output(bytes);
    if (!(this.#transfer && type === 0)) this.#recordPart(stream, bytes);
    if (!this.#ended) this.#client.write(bytes, type);
  }

  #recordPart(stream: NonNullable<ResponsePart['stream']>, bytes: Buffer): void {
    const { gate } = this.#context;
    if (stream === 'out' || stream === 'err') {
      const room = (this.#terminal ? gate.limits.terminal : gate.limits.recorded) - this.#recorded;
      // Of a terminal nothing is left out of the record: one that shows more than fits is over.
      if (room < bytes.length && this.#terminal)
        return this.fail('This line has shown as much as is recorded of one, so the terminal ends.');
      if (room <= 0) return;
      this.#recorded += bytes.length;
      if (bytes.length > room) bytes = bytes.subarray(0, room);
    }
    gate.record({ type: 'part', command: this.#id, stream, data: [bytes] });
  }

  #fromTarget(name: string, wantReply: boolean, more: Buffer): void {
    if (ENDINGS.has(name)) {
      this.#exit = ending(name, more);
      this.#failed = this.#exit !== 'exit 0';
      this.#client.later(name, Buffer.from(more));
    } else if (name === 'eow@openssh.com' || name === 'xon-xoff') this.#client.request(name, Buffer.from(more));
    // Everything else, keep-alives too, is between the target and the gateway.
    if (wantReply) this.#target?.reply(false);
  }

  #targetClosed(): void {
    if (this.#ended) return;
    this.#flushEditors();
    this.#end(this.#failed ? 'error' : 'ok', this.#exit);
    this.#client.close();
  }

  /** Ends a program that the target has nothing to do with any more. */
  #finish(status: number): void {
    this.#client.later('exit-status', details(status));
    this.#client.eof();
    this.#end('error', this.#exit);
    this.#target?.close(true);
    this.#client.close();
  }

  #end(outcome: 'ok' | 'error' | 'lost', exit: string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#context.running.delete(this);
    if (!this.#let) return;
    const bytes = this.#tallies.out.bytes + this.#tallies.err.bytes;
    const { in: input, out, err } = this.#tallies;
    const summary = `${exit}; in ${input.end()}, out ${out.end()}, err ${err.end()}`;
    this.#context.gate.record({ type: 'end', command: this.#id, outcome, summary, rows: 0, bytes, data: [] });
  }
}

const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This command could not be judged, so it was not run.',
};

function ending(name: string, more: Buffer): string {
  const fields = new Fields(more);
  if (name === 'exit-status') return `exit ${fields.uint32()}`;
  return `signal ${fields.string().toString('latin1').slice(0, 20)}`;
}
