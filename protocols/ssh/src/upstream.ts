/**
 * The gateway's own login at a target. Owns: the host key check and the proofs. Does not: dial (the gate), channels
 * (channel-mux.ts).
 */
import type { Gate, Target } from '@sluice/contract';
import { SshFields, KeyError, pack } from '@sluice/keys';
import type { Clock } from './clock.js';
import { ChannelMux, type MuxEvents } from './channel-mux.js';
import { Disconnect, M } from './messages.js';
import { Transport } from './transport.js';
import * as words from './words.js';

/** Questions of a target during keyboard-interactive that get the password. */
const MAX_QUESTIONS = 4;

/** The target cannot be used. The message is a sentence for the client and holds no secret. */
class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/**
 * Connects and logs in at the target: its host key is checked before anything is said, then the key or certificate, then
 * the password. `lost` is called when the connection ends later.
 *
 * @throws Unreachable
 */
export async function openTarget(
  clock: Clock,
  gate: Gate,
  target: Target,
  events: MuxEvents,
  lost: (error?: Error) => void,
): Promise<ChannelMux> {
  const { ssh } = target;
  if (!ssh) throw new Unreachable(words.NO_SSH_TARGET);
  const stream = await gate.dial().catch((error: unknown) => {
    throw new Unreachable(words.targetUnreachable(error instanceof Error ? error.message : String(error)));
  });
  await Transport.ready;
  const { promise, resolve, reject } = Promise.withResolvers<ChannelMux>();
  let mux: ChannelMux | undefined;
  let refused: string | undefined;
  let hostKey: Buffer | undefined;
  const authentication = new Authentication(target, (packet) => transport.send(...packet));
  const transport = new Transport({
    stream,
    clock,
    hostKeyAlgorithms: ssh.hostKeyAlgorithms,
    verifyHost: (key) => {
      hostKey = Buffer.from(key);
      refused = ssh.refuses(key);
      return refused === undefined;
    },
    onReady: () => {
      if (hostKey) ssh.proven(hostKey);
      transport.requestService('ssh-userauth');
    },
    onService: () => authentication.begin(transport.sessionId, transport.signatureAlgorithms),
    onMessage: (payload) => {
      if (mux) return mux.receive(payload);
      const outcome = authentication.receive(payload);
      if (outcome === 'failed') {
        reject(new Unreachable(words.TARGET_LOGIN_REFUSED));
        return transport.disconnect(Disconnect.noMoreAuthMethods, 'no more ways to log in');
      }
      if (outcome === 'open') {
        mux = new ChannelMux(transport, events);
        resolve(mux);
      }
    },
    onRoom: () => mux?.flush(),
    onEnd: (error) => {
      reject(new Unreachable(refused ?? words.targetEnded(error?.message)));
      // Programs that run are told why first: for their channels alone it would be an end like any other.
      if (mux) lost(error);
      mux?.lost();
    },
  });
  const inTime = clock.after(gate.limits.upstreamLogin, () => {
    reject(new Unreachable(words.TARGET_TOO_SLOW));
    transport.disconnect(Disconnect.byApplication, 'too slow');
  });
  try {
    return await promise;
  } finally {
    inTime();
  }
}

type UpstreamPacket = Parameters<Transport['send']>;

/** User authentication (RFC 4252) as the client. */
class Authentication {
  readonly #target: Target;
  readonly #send: (packet: UpstreamPacket) => void;
  #ways: (() => void)[] = [];
  #rounds = 0;
  #interactive = false;

  constructor(target: Target, send: (packet: UpstreamPacket) => void) {
    this.#target = target;
    this.#send = send;
  }

  begin(session: Buffer, understood: readonly string[] | undefined): void {
    const { user, ssh } = this.#target;
    const key = ssh?.key?.();
    if (key) {
      const blob = Buffer.from(key.blob);
      const algorithms = key.algorithms.filter((one) => !understood || understood.includes(plain(one)));
      for (const algorithm of algorithms.length > 0 ? algorithms : key.algorithms) {
        this.#ways.push(() => {
          const request = [user, 'ssh-connection', 'publickey', true, algorithm, blob] as const;
          const what = pack(session, { raw: Buffer.of(M.userauthRequest) }, ...request);
          this.#send([M.userauthRequest, ...request, key.sign(what, plain(algorithm))]);
        });
      }
    }
    // It may have come with the dial, and is read when it is needed.
    if (this.#target.password !== undefined) {
      this.#ways.push(() =>
        this.#send([M.userauthRequest, user, 'ssh-connection', 'password', false, this.#target.password ?? '']),
      );
      this.#ways.push(() => {
        this.#interactive = true;
        this.#send([M.userauthRequest, user, 'ssh-connection', 'keyboard-interactive', '', '']);
      });
    }
    // A target that wants no proof at all is one as well.
    this.#ways.push(() => this.#send([M.userauthRequest, user, 'ssh-connection', 'none']));
    this.#ways.shift()?.();
  }

  receive(payload: Buffer): 'open' | 'failed' | undefined {
    switch (payload[0]) {
      case M.userauthSuccess:
        return 'open';
      case M.userauthFailure: {
        this.#interactive = false;
        const next = this.#ways.shift();
        next?.();
        return next ? undefined : 'failed';
      }
      case M.userauth60:
        return this.#interactive ? this.#answer(new SshFields(payload.subarray(1))) : 'failed';
      case M.userauthBanner:
        return undefined;
      default:
        throw new KeyError('a message that has no place during the login');
    }
  }

  /** One hidden question is for the password; others cannot be answered by a gateway. */
  #answer(fields: SshFields): 'failed' | undefined {
    fields.string();
    fields.string();
    fields.string();
    const count = fields.uint32();
    if (count > 1 || ++this.#rounds > MAX_QUESTIONS) return 'failed';
    const hidden = count === 1 && fields.string() && !fields.boolean();
    if (count === 1 && !hidden) return 'failed';
    this.#send(count === 0 ? [M.infoResponse, 0] : [M.infoResponse, 1, this.#target.password ?? '']);
    return undefined;
  }
}

const plain = (algorithm: string): string => algorithm.replace('-cert-v01@openssh.com', '');
