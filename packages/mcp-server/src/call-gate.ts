/**
 * The gate of a call: that of a session, which lets one client in that has no token, and hears what is said of its commands. Owns: the proof of
 * that client, which is made for one stream in this process and is good once, and how long a held command waits. Does not: judge.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type {
  Admission,
  Answer,
  Challenge,
  Command,
  Deny,
  Effect,
  Gate,
  Masking,
  Notice,
  PacketMasking,
  Refusal,
  Waiter,
} from '@sluice/contract';
import type { CallSession } from './host.js';
import { streamPair } from './stream-pair.js';

/** What the gate has said of the commands of one call. */
export interface Heard {
  /** The last command that was refused. */
  denied: Deny | undefined;
  /** Some command may do more than read. */
  changes: boolean;
  /** Why the session did not begin. */
  refused: Refusal | undefined;
  /** For each result that masks were asked about, in order: which of its columns have one. */
  readonly masked: (readonly boolean[])[];
}

export interface CallOptions {
  /** So many milliseconds a held command waits. */
  readonly holdWait: number;
  /** Told while it waits. */
  readonly notice: (notice: Notice) => void;
}

/** A session that is open to one client. */
export interface OpenCall {
  /** The client's end. The session ends when it is destroyed. */
  readonly stream: Duplex;
  /** Logs in on that stream, once. */
  readonly secret: string;
  readonly heard: Heard;
  /** Aborted when the session ends, whoever ends it. */
  readonly ended: AbortSignal;
  /** Nobody waits for it any more. */
  giveUp(): void;
}

/** Opens the session to a client of its protocol. `connection`: what that client has to name. */
export function openCall(session: CallSession, connection: string, options: CallOptions): OpenCall {
  const [stream, served] = streamPair();
  const secret = randomBytes(32).toString('base64url');
  const heard: Heard = { denied: undefined, changes: false, refused: undefined, masked: [] };
  session.serve(served, callGate(session, { connection, secret, heard, ...options }));
  return { stream, secret, heard, ended: session.gate.signal, giveUp: () => session.giveUp() };
}

interface GateParts extends CallOptions {
  readonly connection: string;
  readonly secret: string;
  readonly heard: Heard;
}

export function callGate(session: CallSession, parts: GateParts): Gate {
  const { gate } = session;
  const { heard, connection } = parts;
  const challenge = new OneUseChallenge(parts.secret, (account) => session.admit(account), heard);
  const hear = (answer: Answer): Answer => {
    if (answer.type === 'deny') {
      heard.denied = answer;
      return answer;
    }
    heard.changes ||= !answer.facts.actions.every(({ effects }) => effects.every((effect) => READING.has(effect)));
    return watched(answer, heard.masked);
  };
  return {
    signal: gate.signal,
    draining: gate.draining,
    limits: gate.limits,
    words: gate.words,
    // Its client is in this process: there is nobody between who could read along.
    tls: false,
    requireTls: false,
    loopback: true,
    ...(gate.entrance && {
      entrance: {
        route: () => ({ connection, api: 'rest', prefix: '', origins: [] }),
        enter: () => session.visit(),
        own: () => Promise.resolve({ status: 404, headers: [], body: '' }),
      },
    }),
    secure: (stream, side, alpn) => gate.secure(stream, side, alpn),
    login: (_, wanted, account = '') => challenge.of(wanted === connection, account),
    hasConnection: (name) => gate.hasConnection?.(name) ?? false,
    turn: (client) => gate.turn(client),
    opened: (process) => gate.opened(process),
    broke: (reason) => gate.broke(reason),
    targetFailed: (reason) => gate.targetFailed(reason),
    dial: () => gate.dial(),
    ask: (command: Command, waiter?: Waiter) => {
      const answer = gate.ask(command, waiter && patient(waiter, parts));
      return answer instanceof Promise ? answer.then(hear) : hear(answer);
    },
    ...(gate.split && { split: (text, dialect) => gate.split?.(text, dialect) }),
    record: (event) => gate.record(event),
    get isRecording() {
      return gate.isRecording ?? true;
    },
    onCancel: (key, cancel) => gate.onCancel(key, cancel),
    cancel: (key) => gate.cancel(key),
  };
}

/**
 * It waits for so long. Then the request stays open, and the identical command passes once when it has been approved. It has no `transaction`: a
 * text is a session of its own, so that nobody can look at what it changes before its COMMIT, and the change is refused before it runs.
 */
const patient = (waiter: Waiter, { holdWait, notice }: CallOptions): Waiter => ({
  answersDelivered: () => waiter.answersDelivered(),
  say: (one) => {
    notice(one);
    waiter.say?.(one);
  },
  maxWaitMs: holdWait,
  get signal() {
    return waiter.signal;
  },
});

/** Whoever shows the secret is the caller, and only the first time. Every other way fails. */
class OneUseChallenge {
  readonly #secret: Buffer;
  readonly #admit: CallSession['admit'];
  readonly #heard: Heard;
  #used = false;

  constructor(secret: string, admit: CallSession['admit'], heard: Heard) {
    this.#secret = Buffer.from(secret);
    this.#admit = admit;
    this.#heard = heard;
  }

  /** `here`: it is for the connection that the session was made for. */
  of(here: boolean, account: string): Challenge {
    const fail = (): Promise<Refusal> => Promise.resolve(WRONG);
    const nobody = { candidates: [], fail };
    return {
      prefers: 'password',
      scram: () => ({ ...nobody, salt: randomBytes(16), iterations: 4096 }),
      mysql: () => nobody,
      password: (secret) => (here ? this.#shown(secret, account) : fail()),
      bearer: fail,
      offers: () => false,
      publicKey: fail,
      interactive: fail,
    };
  }

  async #shown(secret: string, account: string): Promise<Admission | Refusal> {
    const shown = Buffer.from(secret);
    const fits = shown.length === this.#secret.length && timingSafeEqual(shown, this.#secret);
    if (!fits || this.#used) return WRONG;
    this.#used = true;
    const outcome = await this.#admit(account);
    if (outcome.type === 'refusal') this.#heard.refused = outcome;
    else if (outcome.release) return this.#unreleased(outcome);
    return outcome;
  }

  /** People have to agree to the session, and a call does not wait for that: they are asked, and it is told so. */
  async #unreleased(admission: Admission): Promise<Admission | Refusal> {
    const { release, ...rest } = admission;
    const refused = await release?.(undefined, NEVER);
    if (!refused) return rest;
    this.#heard.refused = refused;
    return refused;
  }
}

const READING: ReadonlySet<Effect> = new Set<Effect>(['read', 'secret']);
const WRONG: Refusal = { type: 'refusal', reason: { code: 'wrong-proof', user: '', tokens: 1 } };
const NEVER = new AbortController().signal;

/** Tells which columns of its results have masks. */
function watched(answer: Extract<Answer, { type: 'allow' }>, masked: Heard['masked']): Answer {
  const { masking, packets } = answer;
  if (masking) return { ...answer, masking: watchedRows(masking, masked) };
  return packets ? { ...answer, packets: watchedPackets(packets, masked) } : answer;
}

const watchedRows = (masking: Masking, masked: Heard['masked']): Masking =>
  withOwn(masking, {
    rows: (statement, result, meter) => {
      const masks = masking.rows(statement, result, meter);
      masked.push(masks?.cells.map((cell) => cell !== undefined && cell.passes !== true) ?? []);
      return masks;
    },
  });

const watchedPackets = (packets: PacketMasking, masked: Heard['masked']): PacketMasking =>
  withOwn(packets, {
    rows: (result, columns, format, meter) => {
      const editor = packets.rows(result, columns, format, meter);
      masked.push(columns.map((_, at) => editor?.masked.has(at) ?? false));
      return editor;
    },
  });

/** All of it but for these: what is not there must not be lost, for protocols ask for some of it only where it is. */
const withOwn = <T extends object>(whole: T, own: Partial<T>): T => Object.assign(Object.create(whole) as T, own);
