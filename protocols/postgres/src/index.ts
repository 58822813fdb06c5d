/**
 * PostgreSQL as a `Protocol`. Owns: the stages of a connection, and what ties its conversation to the gate. Does not: messages,
 * which the files of each stage read.
 */
import { randomBytes } from 'node:crypto';
import {
  type Admission,
  CONTRACT,
  type Deny,
  type Ending,
  type Gate,
  type Looked,
  type Protocol,
  type Refusal,
} from '@sluice/contract';
import { CommandClock, type Conversation, MessageRoom, StatementRoom, type Wires, pump } from '@sluice/wire';
import { annotationsOf } from './annotations.js';
import { PostgresConversation } from './conversation.js';
import { ClientStartup } from './client-startup.js';
import { authenticationOk, login } from './login.js';
import { lookFirst } from './look.js';
import { FunctionLookup } from './function-lookup.js';
import { openLookup } from './lookup.js';
import { B, message } from './messages.js';
import { denySentence, fatal, foreignEncoding, loginRefusal, waiting } from './refusal.js';
import { type TextEncoding, UTF8, encodingNamed } from './text-encoding.js';
import { decodeResult } from './results.js';
import { asStatement, readStartupSettings } from './settings.js';
import { type Startup, secretLength } from './startup.js';
import { type Upstream, cancelUpstream, openUpstream } from './upstream.js';

export { openLookup } from './lookup.js';
export type { Reach } from './upstream.js';
export { type DecodedResult, decodeResult } from './results.js';

/**
 * PostgreSQL, protocol 3.0 and 3.2, as a full endpoint on both sides. A connection goes through four stages, a file each:
 * first packets (`client-startup.ts`, `startup.ts`), the client's login (`login.ts`), the gateway's own login at the target
 * (`upstream.ts`), and then the conversation (`conversation.ts`), which the pump runs.
 */
export const postgres: Protocol = {
  name: 'postgres',
  contract: CONTRACT,
  async serve(client, gate) {
    const front = new ClientStartup(client, gate);
    try {
      const startup = await front.start();
      if (startup) await open(front, gate, startup);
    } catch (error) {
      front.fail(error);
    }
  },
  replay: decodeResult,
};

async function open(front: ClientStartup, gate: Gate, startup: Startup): Promise<void> {
  if (gate.requireTls && !front.secured) {
    gate.broke('the client came without TLS, which is required');
    const hint = 'Add sslmode=require to the connection string, or the like of it in your driver.';
    return front.close(fatal('28000', 'the gateway takes connections over TLS only, and this one has none', hint));
  }
  const wishes = readStartupSettings(startup.parameters);
  const admitted = await login(front, gate, wishes.login, gate.login(wishes.user, wishes.database));
  if (admitted.type === 'refusal') return front.close(loginRefusal(admitted));
  front.write(authenticationOk);

  if (admitted.release) {
    const unreleased = await released(front, admitted.release);
    if (unreleased) return front.close(loginRefusal(unreleased));
  }

  const refused = await judgeSettings(gate, wishes.settings);
  if (refused) return front.close(refused);
  const { encoding } = wishes;
  const upstream = await openUpstream(gate, admitted.target, wishes.settings, encoding);
  const kept = upstream.parameters.get('server_encoding') ?? '';
  if (!isConverted(encoding, kept, admitted)) {
    upstream.stream.destroy();
    return front.close(foreignEncoding(encoding.name, kept));
  }
  const unfit = await unfitFor(admitted, upstream, gate.limits.upstreamLogin);
  if (unfit || front.stream.destroyed) upstream.stream.destroy();
  if (unfit) return front.close(fatal('08004', unfit.message, unfit.hint));
  if (front.stream.destroyed) return;

  const session = new PostgresSession(gate, admitted, upstream, wishes.settings.size, encoding);
  const key = session.registerCancel(secretLength(startup.version));
  front.release();
  front.write(Buffer.concat([...upstream.greeting, message(B.backendKeyData, key), READY]));
  gate.opened(upstream.process);
  admitted.masks?.ready('idle');
  await pump(front.stream, upstream.stream, (wires) => session.converse(wires));
}

/**
 * Whether the texts of a session are to the target what they are here. Between two other encodings than UTF-8 it has tables of its own,
 * and where it keeps bytes (SQL_ASCII) none.
 */
const isConverted = (encoding: TextEncoding, kept: string, { masks }: Admission): boolean =>
  encoding === UTF8 || kept === 'UTF8' || (kept === encoding.name && !encoding.ofUtf8) || !(masks || encoding.ofUtf8);

/** Why what answers at the target is not what masks can be kept with, or does not know whom it serves; undefined where it is. */
async function unfitFor({ masks, target }: Admission, upstream: Upstream, waiter: number): Promise<Looked['unfit']> {
  const { process } = upstream;
  const { annotations } = target;
  const questions = [
    ...(annotations ? [annotationsOf(annotations, process)] : []),
    ...(masks ? [masks.opened(process)] : []),
  ];
  try {
    for (const question of questions) {
      const { unfit } = await lookFirst(upstream, question, waiter);
      if (unfit) return unfit;
    }
    return undefined;
  } catch (error) {
    upstream.stream.destroy();
    throw error;
  }
}

/** People are asked about the session. Between AuthenticationOk and ReadyForQuery a client takes notices (55.2.1). */
async function released(
  front: ClientStartup,
  release: NonNullable<Admission['release']>,
): Promise<Refusal | undefined> {
  const watch = front.watch();
  try {
    return await release((notice) => front.write(waiting(notice)), watch.gone);
  } finally {
    watch.stop();
  }
}

const READY = message(B.readyForQuery, Buffer.from('I'));

/** Which grammar judges a setting before the target has said its version: SET is the same in all of them. */
const ANY_MAJOR = 18;

/** Start-up settings are SET statements in another coat: each is judged as one. Returns the refusal, if there is one. */
async function judgeSettings(gate: Gate, settings: ReadonlyMap<string, string>): Promise<Buffer | undefined> {
  let id = 0;
  for (const [name, value] of settings) {
    const answer = await gate.ask({
      type: 'sql',
      id: ++id,
      phase: 'run',
      dialect: { name: 'postgres', major: ANY_MAJOR },
      text: asStatement(name, value),
    });
    if (answer.type === 'deny') {
      // Without masks the target would be dialled now, and say the same.
      if (answer.unusable !== undefined) return fatal('08001', answer.unusable);
      const { message, hint } = denySentence(answer);
      return fatal('42501', `${name}: ${message}`, hint);
    }
    // The target takes it with the start-up packet, or there will be no session.
    answer.masking?.completed(0);
  }
  return undefined;
}

/** Whatever goes wrong while a statement is judged is a no. */
const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This statement could not be judged, so it was not run.',
};

/** Ties one conversation to the gate: asynchronous answers, a full record, out-of-band cancels, an end from outside. */
class PostgresSession {
  readonly #gate: Gate;
  readonly #admitted: Admission;
  readonly #upstream: Upstream;
  readonly #commands: number;
  readonly #functions: FunctionLookup;
  readonly #encoding: TextEncoding;
  #conversation: PostgresConversation | undefined;

  constructor(gate: Gate, admitted: Admission, upstream: Upstream, commands: number, encoding: TextEncoding) {
    this.#encoding = encoding;
    this.#gate = gate;
    this.#admitted = admitted;
    this.#upstream = upstream;
    this.#commands = commands;
    this.#functions = new FunctionLookup(async () => {
      const lookup = await openLookup(gate, admitted.target);
      gate.opened();
      return lookup;
    });
  }

  /** Returns the BackendKeyData for the client: the target's process id, which tools compare, and a secret of ours. */
  registerCancel(secretBytes: number): Buffer {
    const process = Buffer.allocUnsafe(4);
    process.writeInt32BE(this.#upstream.process, 0);
    for (;;) {
      const key = Buffer.concat([process, randomBytes(secretBytes)]);
      if (this.#gate.onCancel(key, () => this.#cancel())) return key;
    }
  }

  converse(wires: Wires): Conversation {
    const gate = this.#gate;
    const clock = new CommandClock();
    const conversation = new PostgresConversation({
      wires,
      port: {
        ask: (command, waiter) => {
          const answer = gate.ask(command, waiter);
          if (!(answer instanceof Promise)) return answer;
          void answer.then(
            (late) => {
              conversation.answered(late);
              clock.look(conversation);
            },
            () => conversation.answered(UNJUDGED),
          );
          return undefined;
        },
        record: (event) => gate.record(event),
        functionOf: (oid) => this.#functions.find(oid),
        cancel: () => this.#cancelTarget(),
      },
      encoding: this.#encoding,
      kept: keptIn(this.#encoding, this.#upstream.parameters.get('server_encoding') ?? ''),
      major: this.#upstream.major,
      limits: gate.limits,
      unusedName: `refused ${randomBytes(12).toString('hex')}`,
      commands: this.#commands,
      masks: this.#admitted.masks,
      room: new StatementRoom(this.#admitted.principal),
      sent: new MessageRoom(this.#admitted.principal, this.#gate.limits.message),
    });
    this.#conversation = conversation;
    this.#obey(conversation);
    return {
      receive: (from, chunk) => {
        conversation.receive(from, chunk);
        clock.look(conversation);
      },
      ended: (side, error) => {
        conversation.ended(side, error);
        clock.stop();
      },
      wants: (side) => conversation.wants(side),
    };
  }

  /** A statement that is running when its session is killed must not run on at the target. */
  #obey(conversation: PostgresConversation): void {
    const { signal, draining } = this.#gate;
    const kill = (): void => {
      if (conversation.busy) void this.#cancel();
      conversation.stop(signal.reason as Ending, 'now');
    };
    const drain = (): void => conversation.stop(draining.reason as Ending, 'idle');
    for (const [source, act] of [
      [signal, kill],
      [draining, drain],
    ] as const) {
      if (source.aborted) queueMicrotask(act);
      else source.addEventListener('abort', act, { once: true });
    }
  }

  /** Only while a statement of this client runs: a cancel that comes late must not hit the next one. */
  async #cancel(): Promise<void> {
    if (!this.#conversation || this.#conversation.cancelWaiting() || !this.#conversation.busy) return;
    await this.#cancelTarget();
  }

  /** A target that cannot be reached for the cancel: Postgres tells the client nothing about that either. */
  #cancelTarget(): Promise<void> {
    return cancelUpstream(this.#gate, this.#admitted.target, this.#upstream).catch(() => undefined);
  }
}

/** What the target keeps the texts of a session in; undefined: one that is not known here. */
const keptIn = (encoding: TextEncoding, kept: string): TextEncoding | undefined =>
  kept === 'SQL_ASCII' ? encoding : encodingNamed(kept);
