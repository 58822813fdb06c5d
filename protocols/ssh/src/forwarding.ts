/**
 * Channels that are no sessions, and requests to listen. Owns: that each is asked about first. Does not: move bytes (pipe.ts).
 */
import type { Answer, AnswerMeter } from '@sluice/contract';
import { SshFields } from '@sluice/keys';
import { NOBODY } from './channel.js';
import type { Clock } from './clock.js';
import type { ForwardWish } from './context.js';
import type { ChannelMux, ChannelOpening } from './channel-mux.js';
import { OpenFailure } from './messages.js';
import { Pipe } from './pipe.js';
import { NOBODY_ASKED, UNKNOWN_CHANNEL_TYPE, requestRefused } from './words.js';

/** Forwardings that one client may have listen at its target. */
const MAX_LISTENING = 50;

/** What forwarding needs of the client's session. */
interface Owner {
  readonly gate: ConstructorParameters<typeof Pipe>[0];
  readonly client: ChannelMux;
  readonly clock: Clock;
  target(): Promise<ChannelMux>;
  askForward(wish: ForwardWish, answered: (answer: Answer, id: number) => void): void;
}

/**
 * Channels that are no sessions, in both directions (RFC 4254 section 7 and OpenSSH's PROTOCOL), and the requests that have the
 * target listen. Each is asked about first.
 */
export class Forwarding {
  readonly #owner: Owner;
  /** Where the target listens for the client. */
  readonly #listening = new Set<string>();
  readonly #expected = new Set<'agent' | 'x11'>();

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  expect(kind: 'agent' | 'x11'): void {
    this.#expected.add(kind);
  }

  /** The client asks for a connection from the target's side. */
  fromClient(opening: ChannelOpening): void {
    const wish = wishOf(opening);
    if (!wish) return opening.refuse(OpenFailure.unknownType, UNKNOWN_CHANNEL_TYPE);
    this.#owner.askForward(wish, (answer, id) => {
      if (answer.type === 'deny') return opening.refuse(OpenFailure.prohibited, requestRefused(answer));
      this.#owner.target().then(
        (mux) => this.#join(opening, mux, id, answer.meter),
        (error: unknown) => {
          opening.refuse(OpenFailure.connectFailed, (error as Error).message);
          this.#lost(id);
        },
      );
    });
  }

  /** The target has accepted a connection that the client wanted to hear of. */
  fromTarget(opening: ChannelOpening): void {
    const wish = this.#expectedWish(opening);
    if (!wish) return opening.refuse(OpenFailure.prohibited, NOBODY_ASKED);
    this.#owner.askForward(wish, (answer, id) => {
      if (answer.type === 'deny') opening.refuse(OpenFailure.prohibited, requestRefused(answer));
      else this.#join(opening, this.#owner.client, id, answer.meter);
    });
  }

  globalRequest(name: string, body: Buffer, answer: (success: boolean, details?: Uint8Array) => void): void {
    const key = listenerKey(name, body);
    if (name.startsWith('cancel-')) {
      if (!this.#listening.delete(key)) return answer(false);
      return this.#pass(name, body, answer);
    }
    if (this.#listening.size >= MAX_LISTENING) return answer(false);
    this.#owner.askForward(remoteWish(name, body), (verdict, id) => {
      if (verdict.type === 'deny') return answer(false);
      this.#pass(name, body, (success, details) => {
        if (success) this.#listening.add(listenerKey(name, body, details));
        const summary = success ? 'listens at the target' : 'the target refused it';
        this.#owner.gate.record({
          type: 'end',
          command: id,
          outcome: success ? 'ok' : 'error',
          summary,
          rows: 0,
          bytes: 0,
          data: [],
        });
        answer(success, details);
      });
    });
  }

  #pass(name: string, body: Buffer, answer: (success: boolean, details?: Uint8Array) => void): void {
    this.#owner.target().then(
      (mux) => mux.globalRequest(name, body, answer),
      () => answer(false),
    );
  }

  /** Opens the same channel on the other side, and joins the two when it is there. */
  #join(opening: ChannelOpening, other: ChannelMux, id: number, meter: AnswerMeter | undefined): void {
    const side = other === this.#owner.client ? 1 : 0;
    other.open(opening.type, opening.details, {
      opened: (far) => {
        const pipe = new Pipe(this.#owner.gate, id, meter, this.#owner.clock);
        const near = opening.accept(NOBODY);
        near.events = pipe.events(near, far, side);
        return pipe.events(far, near, side === 0 ? 1 : 0);
      },
      refused: (reason, text) => {
        opening.refuse(reason, text);
        this.#lost(id);
      },
    });
  }

  #lost(id: number): void {
    const summary = 'the connection was not made';
    this.#owner.gate.record({ type: 'end', command: id, outcome: 'error', summary, rows: 0, bytes: 0, data: [] });
  }

  /** What it is to be asked as: each connection is, as the listening was. */
  #expectedWish({ type, details }: ChannelOpening): ForwardWish | undefined {
    if (type === 'auth-agent@openssh.com' && this.#expected.has('agent')) {
      return { kind: 'agent', text: 'use of the authentication agent' };
    }
    if (type === 'x11' && this.#expected.has('x11')) return { kind: 'x11', text: 'a window by X11' };
    const fields = new SshFields(details);
    if (type === 'forwarded-tcpip') {
      const [host, port] = [fields.text(), fields.uint32()];
      const text = `connection accepted at ${host}:${port}`;
      return this.#listening.has(`${host}:${port}`) ? { kind: 'remote', text, host, port } : undefined;
    }
    if (type !== 'forwarded-streamlocal@openssh.com') return undefined;
    const path = fields.text();
    const text = `connection accepted at the socket ${path}`;
    return this.#listening.has(path) ? { kind: 'remote-stream-local', text, path } : undefined;
  }
}

function wishOf({ type, details }: ChannelOpening): ForwardWish | undefined {
  const fields = new SshFields(details);
  if (type === 'direct-tcpip') {
    const [host, port] = [fields.text(), fields.uint32()];
    return { kind: 'local', text: `connection to ${host}:${port}`, host, port };
  }
  if (type !== 'direct-streamlocal@openssh.com') return undefined;
  const path = fields.text();
  return { kind: 'stream-local', text: `connection to the socket ${path}`, path };
}

function remoteWish(name: string, body: Buffer): ForwardWish {
  const fields = new SshFields(body);
  const where = fields.text();
  if (name !== 'tcpip-forward')
    return { kind: 'remote-stream-local', text: `listening at the socket ${where}`, path: where };
  const port = fields.uint32();
  return { kind: 'remote', text: `listening at ${where}:${port}`, host: where, port };
}

/** What the target will call it. A port of 0 is chosen by the target, which answers with it. */
function listenerKey(name: string, body: Buffer, details?: Uint8Array): string {
  const fields = new SshFields(body);
  const where = fields.string().toString();
  if (!name.endsWith('tcpip-forward')) return where;
  const port = fields.uint32();
  return `${where}:${port === 0 && details && details.length >= 4 ? new SshFields(details).uint32() : port}`;
}
