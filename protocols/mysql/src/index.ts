/**
 * MySQL and MariaDB, protocol version 10, as a full endpoint on both sides. A connection goes through three stages, a file each: the
 * client's login (`client-startup.ts`, `login.ts`), the gateway's own at the target (`upstream.ts`), and then the conversation
 * (`conversation.ts`), which the pump runs.
 */
import { type Admission, CONTRACT, type Gate, type LoginWay, type Protocol } from '@sluice/contract';
import { pump } from '@sluice/wire';
import { useStatement } from './commands.js';
import { ClientStartup } from './client-startup.js';
import type { HandshakeResponse } from './handshake.js';
import { LoginExchange, type LoginOutcome, type PluginProof, newThread } from './login.js';
import { loginDenied, loginRefusal, masksRefused, refusal, tlsNeeded } from './refusal.js';
import { STATUS, plainOk } from './replies.js';
import { decodeResult } from './results.js';
import { NATIVE, SHA2 } from './scramble.js';
import { MySqlSession, type Sessions } from './session.js';
import { UTF8MB4, openUpstream } from './upstream.js';
import type { Again } from './shared.js';
import { type WantedConnection, whereTo } from './wanted.js';

export { openLookup } from './lookup.js';

/** What the listener says. */
export interface MySqlOptions {
  /** What clients are told before anybody knows who they are; undefined: what the last target has said of itself. */
  readonly version?: string | undefined;
  /** Where those go that name no connection. */
  readonly connection?: string | undefined;
  /** The way to log in that the greeting names. */
  readonly login?: LoginWay | undefined;
}

/** Before any target has said anything. Drivers take it for a server that has what the gateway offers. */
const FIRST_VERSION = '8.0.36';

/** Of a target's own, which clients are told. */
const MAX_VERSION_CHARACTERS = 80;

/** What the sessions of one listener share. */
interface Common {
  readonly options: MySqlOptions;
  readonly sessions: Sessions;
  /** Of the target that was opened last: its version, and its own character set, which some clients then use. */
  version: string;
  charset: number;
}

export function mysql(options: MySqlOptions = {}): Protocol {
  const common: Common = { options, sessions: new Map(), version: FIRST_VERSION, charset: UTF8MB4 };
  return {
    name: 'mysql',
    contract: CONTRACT,
    async serve(client, gate) {
      const front = new ClientStartup(client, gate);
      try {
        await open(front, gate, common);
      } catch (error) {
        front.fail(error);
      }
    },
    replay: decodeResult,
  };
}

async function open(front: ClientStartup, gate: Gate, common: Common): Promise<void> {
  const { options, sessions } = common;
  const thread = newThread((number) => sessions.has(number));
  const plugin = options.login === 'native' ? NATIVE : SHA2;
  const { response, nonce } = await front.start({
    version: options.version ?? common.version,
    thread,
    plugin,
    charset: common.charset,
  });
  if (gate.requireTls && !front.secured) {
    gate.broke('the client came without TLS, which is required');
    return front.close(tlsNeeded());
  }
  const wish = whereTo(response, options.connection, gate);
  const unencrypted = gate.loopback ? 'loopback' : 'open';
  const exchangeFor = ({ user, connection }: WantedConnection): LoginExchange =>
    new LoginExchange(gate.login(user, connection), front.secured ? 'tls' : unencrypted);
  const outcome = await login(front, exchangeFor(wish), { ...response, nonce });
  if (outcome === 'needs-tls' || outcome.type === 'refusal') return front.close(loginDenied(outcome, wish.user));
  const unready = await unreadyFor(outcome, gate, wish.database);
  if (unready) return front.close(unready);

  const upstream = await openUpstream(gate, outcome.target, { ...response, database: wish.database });
  common.version = upstream.version.slice(0, MAX_VERSION_CHARACTERS);
  common.charset = upstream.charset;
  if (front.stream.destroyed) {
    upstream.stream.destroy();
    return;
  }
  const commands = wish.database === undefined ? 0 : 1;
  const again = (who: Pick<HandshakeResponse, 'user' | 'database'>): Again => {
    const other = whereTo(who, options.connection, gate);
    return { ...other, exchange: exchangeFor(other), nonce };
  };
  const session = new MySqlSession(gate, sessions, { admitted: outcome, upstream, client: response, commands, again });
  front.release();
  front.send(plainOk(STATUS.autocommit));
  gate.opened();
  sessions.set(thread, session);
  try {
    await pump(front.stream, upstream.stream, (wires) => session.converse(wires));
  } finally {
    sessions.delete(thread);
  }
}

async function login(front: ClientStartup, exchange: LoginExchange, proof: PluginProof): Promise<LoginOutcome> {
  let step = exchange.begin(proof);
  while (step.type === 'send') {
    front.send(step.payload);
    step = exchange.next(await front.receive());
  }
  const outcome = await step.outcome;
  if (step.before && outcome !== 'needs-tls' && outcome.type === 'admission') front.send(step.before);
  return outcome;
}

/** Why a session cannot begin although its client may use the connection; undefined: it can. */
async function unreadyFor(admitted: Admission, gate: Gate, database: string | undefined): Promise<Buffer | undefined> {
  if (admitted.masks) return masksRefused();
  // A client that logs in can be told nothing but the end of it: whoever has to agree is asked, and it comes again.
  const unreleased = await admitted.release?.(undefined, NEVER);
  if (unreleased) return loginRefusal(unreleased, admitted.principal);
  if (database === undefined) return undefined;
  const answer = await gate.ask(useStatement(1, database));
  return answer.type === 'deny' ? refusal(answer) : undefined;
}

const NEVER = new AbortController().signal;
