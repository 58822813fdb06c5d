/**
 * A little language for SSH's connection protocol (RFC 4254): what the client, the target and the gate do, and what each peer
 * then has got. No encryption, no sshd, and time that stands still until the test lets it pass.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type {
  Admission,
  Answer,
  Command,
  Ending,
  Facts,
  Gate,
  Waiter,
  ResponseEvent,
  StreamEditor,
} from '@sluice/contract';
import { type SshField, SshFields, pack } from '@sluice/keys';
import type { MessageTransport } from '../src/channel.js';
import { ChannelMux, type MuxEvents } from '../src/channel-mux.js';
import { M, STDERR } from '../src/messages.js';
import { Relay } from '../src/relay.js';
import { ManualClock } from './manual-clock.js';

export const facts: Facts = { actions: [], confidence: 'parsed', statements: [] };
export const transfer: Facts = {
  ...facts,
  actions: [{ statement: 0, depth: 0, verb: 'scp', effects: ['transfer'], resources: [], reasons: [] }],
};
export const allow: Answer = { type: 'allow', facts };

/** What one peer does on its channel, and what it has got. */
class Peer implements MessageTransport {
  full = false;
  over = false;
  reading = true;
  /** Why the gateway ended the connection. */
  ended: string | undefined;
  /** The gateway's number of the channel that is spoken of. */
  theirs = -1;
  #ours = 0;
  readonly #window: number;
  #got: string[] = [];
  receive: (payload: Buffer) => void = () => undefined;
  /** The connection is over, as a transport says it. */
  onEnd: () => void = () => undefined;

  constructor(window: number) {
    this.#window = window;
  }

  /** What has come since the last look, a line for each message. */
  got(): string[] {
    return this.#got.splice(0);
  }

  send(type: number, ...fields: readonly SshField[]): void {
    if (this.over) return;
    const payload = Buffer.concat([Buffer.of(type), pack(...fields)]);
    const line = this.#read(payload);
    if (line !== undefined) this.#got.push(line);
  }

  data(_channel: number, bytes: Buffer, type: number): void {
    if (this.over) return;
    const text = bytes.length > 1000 ? `${bytes.length} bytes` : bytes.toString();
    this.#got.push(`${type === STDERR ? 'err' : 'data'} ${text}`);
  }

  disconnect(_reason: number, text: string): void {
    if (this.over) return;
    this.over = true;
    this.ended = text;
    this.onEnd();
  }

  hold(): void {
    // Nothing is read by itself here.
  }

  says(type: number, ...fields: readonly SshField[]): this {
    // A message for a channel that the gateway has not opened yet cannot be written.
    if (!this.over && fields[0] !== -1) this.receive(Buffer.concat([Buffer.of(type), pack(...fields)]));
    return this;
  }

  /** Opens a session channel and waits for its confirmation. */
  opens(): this {
    this.says(M.channelOpen, 'session', ++this.#ours, this.#window, 32_768);
    return this;
  }

  confirms(): this {
    return this.says(M.openConfirmation, this.theirs, ++this.#ours, this.#window, 32_768);
  }

  refuses(why: string): this {
    return this.says(M.openFailure, this.theirs, 2, why, '');
  }

  asks(name: string, ...fields: readonly SshField[]): this {
    return this.says(M.channelRequest, this.theirs, name, true, ...fields);
  }

  tells(name: string, ...fields: readonly SshField[]): this {
    return this.says(M.channelRequest, this.theirs, name, false, ...fields);
  }

  grants(success = true): this {
    return this.says(success ? M.channelSuccess : M.channelFailure, this.theirs);
  }

  writes(text: string | Buffer): this {
    return this.says(M.data, this.theirs, Buffer.from(text));
  }

  complains(text: string): this {
    return this.says(M.extendedData, this.theirs, STDERR, Buffer.from(text));
  }

  widens(bytes: number): this {
    return this.says(M.windowAdjust, this.theirs, bytes);
  }

  eof(): this {
    return this.says(M.eof, this.theirs);
  }

  closes(): this {
    return this.says(M.close, this.theirs);
  }

  exits(status: number): this {
    return this.tells('exit-status', status);
  }

  /** A message of the gateway as a line; undefined: it says nothing that a test looks at. */
  #read(payload: Buffer): string | undefined {
    const fields = new SshFields(payload.subarray(1));
    switch (payload[0]) {
      case M.channelOpen: {
        const type = fields.text();
        this.theirs = fields.uint32();
        return `open ${type}`;
      }
      case M.openConfirmation:
        fields.uint32();
        this.theirs = fields.uint32();
        return 'confirmed';
      case M.channelRequest:
        fields.uint32();
        return request(fields);
      case M.windowAdjust:
        fields.uint32();
        return `window +${fields.uint32()}`;
      case M.eof:
        return 'eof';
      case M.close:
        return 'close';
      case M.channelSuccess:
        return 'yes';
      case M.channelFailure:
        return 'no';
      default:
        return undefined;
    }
  }
}

function request(fields: SshFields): string {
  const name = fields.text();
  fields.boolean();
  if (name === 'exec' || name === 'subsystem') return `${name} ${fields.text()}`;
  if (name === 'env') return `${name} ${fields.text()}=${fields.text()}`;
  if (name === 'signal' || name === 'exit-signal') return `${name} ${fields.text()}`;
  if (name === 'exit-status') return `${name} ${fields.uint32()}`;
  if (name === 'window-change') return `${name} ${fields.uint32()}x${fields.uint32()}`;
  return name;
}

/** A terminal of 80 by 24, as a client asks for it. */
export const PTY: readonly SshField[] = ['xterm', 80, 24, 0, 0, ''];

export interface Asked {
  readonly command: Command;
  readonly waiter: Waiter | undefined;
}

export interface Talk {
  readonly client: Peer;
  readonly target: Peer;
  readonly clock: ManualClock;
  readonly asked: readonly Asked[];
  /** What `answer` was given, in the order of the questions. */
  readonly answered: readonly (Answer | Error)[];
  /** Questions that are open. */
  readonly open: number;
  /** What is on record, a line each: `1 out text`, `1 end ok exit 0; in ...`. */
  recorded(): string[];
  /** Answers the oldest question that is open. */
  answer(answer: Answer | Error): Promise<void>;
  /** Waits until what was promised has come about. */
  turn(): Promise<void>;
  kill(ending: Ending): void;
  drain(ending: Ending): void;
  clientGone(): void;
  targetGone(error?: Error): void;
}

export interface TalkOptions {
  readonly clientWindow?: number;
  readonly targetWindow?: number;
  /** Absent: each command is answered by `answer`. */
  readonly judge?: (command: Command) => Answer | Promise<Answer>;
  readonly limits?: { readonly recordedAnswer?: number; readonly terminal?: number };
  /** Why the target cannot be had. */
  readonly unreachable?: string;
  readonly without?: Admission['without'];
}

const WINDOW = 2 * 1024 * 1024;

export function talk(options: TalkOptions = {}): Talk {
  const client = new Peer(options.clientWindow ?? WINDOW);
  const target = new Peer(options.targetWindow ?? WINDOW);
  const clock = new ManualClock();
  const asked: Asked[] = [];
  const answered: (Answer | Error)[] = [];
  const open: PromiseWithResolvers<Answer>[] = [];
  const events: ResponseEvent[] = [];
  let lost: (error?: Error) => void = () => undefined;
  let targetMux: ChannelMux | undefined;
  const gate = {
    limits: { message: 1024, recordedAnswer: 1024, terminal: 1024, upstreamLogin: 1000, ...options.limits },
    ask: (command: Command, waiter?: Waiter) => {
      asked.push({ command, waiter });
      if (options.judge) return options.judge(command);
      const question = Promise.withResolvers<Answer>();
      open.push(question);
      return question.promise;
    },
    record: (event: ResponseEvent) => {
      events.push({ ...event, data: event.data.map((bytes) => Buffer.from(bytes)) });
    },
    opened: () => undefined,
    targetFailed: () => undefined,
  } as unknown as Gate;
  const admission: Admission = {
    type: 'admission',
    principal: 'dev',
    connection: 'vm',
    target: { host: 'target', user: 'vm', tls: 'disable' },
    ...(options.without && { without: options.without }),
  };
  const openTarget = async (_gate: unknown, _target: unknown, muxEvents: MuxEvents, ended: typeof lost) => {
    if (options.unreachable !== undefined) throw new Error(options.unreachable);
    targetMux = new ChannelMux(target, muxEvents);
    target.receive = (payload) => targetMux?.receive(payload);
    const mux = targetMux;
    target.onEnd = () => {
      ended();
      mux.lost();
    };
    lost = ended;
    return targetMux;
  };
  const relay = new Relay(gate, client, { admission }, { clock, openTarget });
  client.receive = (payload) => relay.client.receive(payload);
  client.onEnd = () => relay.lost();
  return {
    client,
    target,
    clock,
    asked,
    answered,
    get open() {
      return open.length;
    },
    recorded: () => events.splice(0).map(inWords),
    answer: async (answer) => {
      const question = open.shift();
      if (!question) throw new Error('nothing was asked');
      answered.push(answer);
      if (answer instanceof Error) question.reject(answer);
      else question.resolve(answer);
      await turn();
    },
    turn: () => turn(),
    kill: (ending) => relay.stop(ending),
    drain: (ending) => relay.drain(ending),
    clientGone: () => client.disconnect(0, 'gone'),
    targetGone: (error) => {
      target.over = true;
      lost(error);
      targetMux?.lost();
    },
  };
}

function inWords(event: ResponseEvent): string {
  if (event.type === 'end') return `${event.command} end ${event.outcome} ${event.summary}`;
  return `${event.command} ${event.stream} ${Buffer.concat(event.data).toString()}`;
}

/** Keeps back the last `kept` bytes, and puts others in the place of "secret". */
export function editor(kept = 0): StreamEditor {
  let held = '';
  const edit = (text: string): Buffer => Buffer.from(text.replaceAll('secret', '[masked]'));
  return {
    push: (bytes) => {
      const all = held + bytes.toString();
      held = kept === 0 ? '' : all.slice(-kept);
      return edit(kept === 0 ? all : all.slice(0, -kept));
    },
    get held() {
      return held.length;
    },
    maxHoldMs: 50,
    release: () => {
      const all = held;
      held = '';
      return edit(all);
    },
    end: () => {
      const all = held;
      held = '';
      return edit(all);
    },
  };
}
