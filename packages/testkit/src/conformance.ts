import { createHmac, hash, pbkdf2Sync } from 'node:crypto';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Admission,
  type Answer,
  CONTRACT,
  type Challenge,
  type Command,
  type Ending,
  type Gate,
  NEUTRAL_WORDS,
  type Protocol,
  type Refusal,
  type ResponseEvent,
} from '@sluice/contract';

/** One way to speak the protocol as a client, over any stream. A real driver is best. */
export interface Speaker {
  /** Resolves when the login is done; rejects when it was refused or the stream ended. */
  open(stream: Duplex, secret: string): Promise<Speech>;
}

export interface Speech {
  /** Carries out a command and resolves with its answer as text; rejects when it failed, with the reason. */
  run(command: string): Promise<string>;
  close(): Promise<void>;
}

/** What a protocol brings to be tried. */
export interface Specimen {
  readonly protocol: Protocol;
  readonly speaker: Speaker;
  /** How the target is logged in to. */
  readonly target: Admission['target'];
  /** A connection to a real target. */
  dial(): Promise<Duplex>;
  /** What the target behind this stream has been told, of a protocol that encrypts. Absent: what the stream was given. */
  understood?(target: Duplex): string;
  /** A harmless command whose text, and whose answer, contain the marker. */
  command(marker: string): string;
}

/** One requirement of the contract. `run` rejects, with a sentence, when it is not met. */
export interface Requirement {
  readonly name: string;
  run(): Promise<void>;
}

const SECRET = 'sluice_conformance';
/** How long anything may take before it counts as hung, in milliseconds. */
const STEP_TIMEOUT_MS = 5_000;

/**
 * What every protocol has to do, whatever it speaks. For any test runner:
 *
 *     for (const { name, run } of conformance(specimen)) test(name, run);
 */
export function conformance(specimen: Specimen): Requirement[] {
  const requirement = (name: string, run: (stand: Stand) => Promise<void>): Requirement => ({
    name,
    run: async () => {
      const stand = new Stand(specimen);
      try {
        await inTime(run(stand), name);
      } finally {
        stand.end();
      }
    },
  });
  const { command } = specimen;

  return [
    requirement('names the contract it was made for', async () => {
      check(specimen.protocol.contract === CONTRACT, `contract ${specimen.protocol.contract}, not ${CONTRACT}`);
      check(/^[a-z][a-z0-9-]*$/.test(specimen.protocol.name), 'the name is not a plain lower-case word');
    }),
    requirement('carries out an allowed command, and records what the client was given', async (stand) => {
      const speech = await stand.speak();
      const answer = await speech.run(command('marker-1'));
      check(answer.includes('marker-1'), `the answer was "${answer}"`);
      const asked = stand.asked.filter(({ text }) => text.includes('marker-1'));
      check(asked.length > 0, 'the gate was not asked');
      await stand.until(() => stand.ends(asked).length > 0, 'no end event for the command');
      check(stand.opened === 1, `opened() was called ${stand.opened} times`);
    }),
    requirement('asks before the target sees a byte of the command', async (stand) => {
      stand.judge = () => {
        check(!stand.sent().includes('marker-2'), 'the target had the command before the gate was asked');
        return ALLOWED;
      };
      const speech = await stand.speak();
      await speech.run(command('marker-2'));
      check(stand.sent().includes('marker-2'), 'the command did not go through the dialled stream');
    }),
    requirement(
      'a refused command never reaches the target, the client is told, and the session goes on',
      async (stand) => {
        stand.judge = (asked) => (asked.text.includes('marker-3') ? DENIED : ALLOWED);
        const speech = await stand.speak();
        const refused = await failure(speech.run(command('marker-3')));
        check(refused.includes(DENIED.message), `the client was told "${refused}"`);
        check(!stand.sent().includes('marker-3'), 'the target was sent the refused command');
        check((await speech.run(command('marker-4'))).includes('marker-4'), 'the next command did not work');
      },
    ),
    requirement('waits for an answer that comes late, and asks only once', async (stand) => {
      stand.judge = async () => {
        await sleep(100);
        check(!stand.sent().includes('marker-5'), 'the target had the command before the answer came');
        return ALLOWED;
      };
      const speech = await stand.speak();
      check((await speech.run(command('marker-5'))).includes('marker-5'), 'the command did not work');
      const runs = stand.asked.filter(({ text, type, ...rest }) => {
        const phase = type === 'sql' && 'phase' in rest ? rest.phase : 'run';
        return text.includes('marker-5') && phase === 'run';
      });
      check(runs.length === 1, `the gate was asked ${runs.length} times`);
    }),
    requirement('a gate that fails is a refusal', async (stand) => {
      const speech = await stand.speak();
      stand.judge = () => Promise.reject(new Error('broken'));
      await failure(speech.run(command('marker-6')));
      check(!stand.sent().includes('marker-6'), 'the target was sent the command');
    }),
    requirement('ids of commands count up, and each that ran ends once', async (stand) => {
      const speech = await stand.speak();
      for (let n = 0; n < 5; n++) await speech.run(command(`marker-${n}`));
      const ids = stand.asked.map(({ id }) => id);
      check(
        ids.every((id, at) => at === 0 || id > (ids[at - 1] as number)),
        `the ids were ${ids.join(', ')}`,
      );
      await speech.close();
      await stand.until(() => stand.done, 'serve() did not end with the client');
      const ends = stand.recorded.filter(({ type }) => type === 'end').map((event) => event.command);
      check(new Set(ends).size === ends.length, `a command ended twice: ${ends.join(', ')}`);
    }),
    requirement('a wrong secret is refused before the target is dialled', async (stand) => {
      const told = await failure(stand.speak('wrong'));
      check(stand.dialled === 0, 'the target was dialled');
      check(!told.includes(SECRET), 'the refusal gives the secret away');
      await stand.until(() => stand.done, 'serve() did not end');
    }),
    requirement('a target that cannot be reached is said to the client', async (stand) => {
      stand.unreachable = true;
      // Before or after the login: some protocols dial once the client is in.
      const told = await failure(stand.speak().then((speech) => speech.run(command('marker-12'))));
      check(told.includes('ECONNREFUSED'), `the client was told "${told}"`);
      await stand.until(() => stand.done, 'serve() did not end');
    }),
    requirement('a target that goes away ends the session', async (stand) => {
      const speech = await stand.speak();
      stand.target?.destroy();
      await failure(speech.run(command('marker-8')));
      await stand.until(() => stand.done, 'serve() did not end');
    }),
    requirement('a client that goes away takes its target connection with it', async (stand) => {
      await stand.speak();
      stand.client.destroy();
      await stand.until(() => stand.done && stand.target?.destroyed === true, 'the target connection stayed');
    }),
    requirement('kill ends the session at once, also while an answer is awaited', async (stand) => {
      const speech = await stand.speak();
      stand.judge = () => new Promise(() => undefined);
      const told = failure(speech.run(command('marker-9')));
      await stand.until(() => stand.asked.some(({ text }) => text.includes('marker-9')), 'the gate was not asked');
      stand.kill.abort({ code: 'ended-by-administrator', why: 'conformance' } satisfies Ending);
      await told;
      await stand.until(() => stand.done, 'serve() did not end');
      check(!stand.sent().includes('marker-9'), 'the target was sent the command all the same');
    }),
    requirement('drain ends an idle session', async (stand) => {
      const speech = await stand.speak();
      await speech.run(command('marker-10'));
      stand.drain.abort({ code: 'shutdown' } satisfies Ending);
      await stand.until(() => stand.done, 'serve() did not end');
    }),
    ...[
      ['nothing', Buffer.alloc(0)],
      ['one byte', Buffer.from([0])],
      ['zeros', Buffer.alloc(5000)],
      ['ones', Buffer.alloc(5000, 0xff)],
      ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
      ['a TLS hello that stops', Buffer.from('16030100c8010000c40303', 'hex')],
    ].map(([what, bytes]) =>
      requirement(`a client that sends ${String(what)} and hangs up hurts nobody`, async (stand) => {
        stand.serve();
        if ((bytes as Buffer).length > 0) stand.client.write(bytes);
        await sleep(20);
        stand.client.destroy();
        await stand.until(() => stand.done, 'serve() did not end');
        check(stand.dialled === 0, 'the target was dialled');
      }),
    ),
    requirement('a client that hangs up in the middle of a command hurts nobody, wherever that is', async (stand) => {
      const speech = await stand.speak();
      await speech.run(command('marker-11'));
      const whole = stand.received;
      stand.end();
      for (const share of [0.1, 0.35, 0.5, 0.75, 0.9, 0.99]) {
        const again = new Stand(specimen);
        again.serve();
        again.client.write(Buffer.concat(whole).subarray(0, Math.floor(Buffer.concat(whole).length * share)));
        await sleep(30);
        again.client.destroy();
        await again.until(() => again.done, `serve() did not end after ${share} of a session`);
      }
    }),
  ];
}

const ALLOWED: Answer = {
  type: 'allow',
  facts: { actions: [], confidence: 'exact', statements: [{ type: 'none' }] },
};
const DENIED = { type: 'deny', rule: 'conformance', message: 'Refused by the conformance suite.' } as const;

/** What SCRAM-SHA-256 needs to know of the secret (RFC 5802 section 3). */
const VERIFIER = (() => {
  const [salt, iterations] = [Buffer.from('conformance salt'), 4096];
  const salted = pbkdf2Sync(SECRET, salt, iterations, 32, 'sha256');
  const key = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  return {
    salt,
    iterations,
    keys: { storedKey: hash('sha256', key('Client Key'), 'buffer'), serverKey: key('Server Key') },
  };
})();

/** Of logins by MySQL. */
const MYSQL_VERIFIERS = {
  sha1: hash('sha1', hash('sha1', SECRET, 'buffer'), 'buffer'),
  sha256: hash('sha256', hash('sha256', SECRET, 'buffer'), 'buffer'),
};

/** A gate and both ends of a session, of which everything is seen. */
class Stand {
  readonly kill = new AbortController();
  readonly drain = new AbortController();
  readonly client: Duplex;
  /** What the client has sent. */
  readonly received: Buffer[] = [];
  readonly asked: Command[] = [];
  readonly recorded: ResponseEvent[] = [];
  target: Duplex | undefined;
  judge: (command: Command) => Answer | Promise<Answer> = () => ALLOWED;
  unreachable = false;
  dialled = 0;
  opened = 0;
  done = false;
  readonly #specimen: Specimen;
  readonly #accepted: Duplex;
  readonly #sent: Buffer[] = [];
  readonly #cancels = new Map<string, () => Promise<void>>();
  #failure: unknown;

  constructor(specimen: Specimen) {
    this.#specimen = specimen;
    [this.client, this.#accepted] = duplexPair({ allowHalfOpen: false });
    for (const side of [this.client, this.#accepted]) side.on('error', () => undefined);
  }

  serve(): void {
    // A pair of streams says nothing to one half when the other is destroyed, which is what sockets do.
    this.client.on('close', () => this.#accepted.destroy());
    this.#accepted.on('close', () => this.client.destroy());
    const write = this.client.write.bind(this.client) as (chunk: unknown, ...rest: unknown[]) => boolean;
    this.client.write = ((chunk: Uint8Array | string, ...rest: unknown[]) => {
      this.received.push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk));
      return write(chunk, ...rest);
    }) as Duplex['write'];
    this.#specimen.protocol.serve(this.#accepted, this.#gate()).then(
      () => (this.done = true),
      (error: unknown) => (this.#failure = error),
    );
  }

  async speak(secret = SECRET): Promise<Speech> {
    this.serve();
    return this.#specimen.speaker.open(this.client, secret);
  }

  /** Everything that the target was sent, as Latin-1. */
  sent(): string {
    if (this.#specimen.understood) return this.target ? this.#specimen.understood(this.target) : '';
    return Buffer.concat(this.#sent).toString('latin1');
  }

  ends(commands: readonly Command[]): ResponseEvent[] {
    return this.recorded.filter(({ type, command }) => type === 'end' && commands.some(({ id }) => id === command));
  }

  async until(met: () => boolean, otherwise: string): Promise<void> {
    for (const end = Date.now() + STEP_TIMEOUT_MS / 2; !met(); await sleep(10)) {
      if (this.#failure !== undefined) throw new Error(`serve() rejected: ${String(this.#failure)}`);
      if (Date.now() > end) throw new Error(otherwise);
    }
  }

  end(): void {
    this.client.destroy();
    this.#accepted.destroy();
    this.target?.destroy();
  }

  #gate(): Gate {
    const admission: Admission = {
      type: 'admission',
      principal: 'conformance',
      connection: 'target',
      target: this.#specimen.target,
    };
    const refusal: Refusal = { type: 'refusal', reason: { code: 'wrong-proof', user: 'anybody', tokens: 8 } };
    const challenge: Challenge = {
      scram: () => ({
        ...VERIFIER,
        candidates: [{ ...VERIFIER.keys, admit: async () => admission }],
        fail: async () => refusal,
      }),
      mysql: () => ({
        candidates: [{ ...MYSQL_VERIFIERS, admit: async () => admission }],
        fail: async () => refusal,
      }),
      password: async (secret) => (secret === SECRET ? admission : refusal),
      bearer: async (token) => (token === SECRET ? admission : refusal),
      offers: () => false,
      publicKey: async () => refusal,
      interactive: async () => refusal,
    };
    return {
      signal: this.kill.signal,
      draining: this.drain.signal,
      words: NEUTRAL_WORDS,
      limits: { message: 1024 * 1024, recordedAnswer: 64 * 1024, terminal: 64 * 1024, upstreamLogin: STEP_TIMEOUT_MS },
      tls: false,
      requireTls: false,
      broke: () => undefined,
      turn: () => Promise.resolve(),
      loopback: true,
      secure: () => Promise.reject(new Error('this gate has no certificate')),
      login: () => challenge,
      opened: () => void this.opened++,
      dial: () => this.#dial(),
      ask: (command) => {
        this.asked.push(command);
        return this.judge(command);
      },
      record: (event) => {
        this.recorded.push(event);
      },
      onCancel: (key, cancel) => {
        const name = Buffer.from(key).toString('hex');
        if (this.#cancels.has(name)) return false;
        this.#cancels.set(name, cancel);
        return true;
      },
      cancel: async (key) => this.#cancels.get(Buffer.from(key).toString('hex'))?.(),
    };
  }

  async #dial(): Promise<Duplex> {
    this.dialled++;
    if (this.unreachable) throw new Error('connect ECONNREFUSED');
    const stream = await this.#specimen.dial();
    this.target = stream;
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    stream.write = ((chunk: Uint8Array, ...rest: unknown[]) => {
      this.#sent.push(Buffer.from(chunk));
      return write(chunk, ...rest);
    }) as Duplex['write'];
    return stream;
  }
}

function check(met: boolean, otherwise: string): asserts met {
  if (!met) throw new Error(otherwise);
}

/** Why it failed; rejects when it did not. */
async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('it succeeded, and had to fail');
}

async function inTime(promise: Promise<void>, what: string): Promise<void> {
  const timer = new AbortController();
  const late = sleep(STEP_TIMEOUT_MS * 3, undefined, { signal: timer.signal }).then(
    () => Promise.reject(new Error(`hung: ${what}`)),
    () => undefined,
  );
  try {
    await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
