/**
 * MySQL and MariaDB, protocol version 10, as a full endpoint on both sides. A connection goes through three stages, a file each: the
 * client's login (`client-startup.ts`, `login.ts`), the gateway's own at the target (`upstream.ts`), and then the conversation
 * (`conversation.ts`), which the pump runs.
 */
import { type Admission, CONTRACT, type Gate, type LoginWay, type Protocol, type Refusal } from '@sluice/contract';
import { pump } from '@sluice/wire';
import { useStatement } from './commands.js';
import { ClientStartup } from './client-startup.js';
import type { HandshakeResponse } from './handshake.js';
import { LoginExchange, newThread } from './login.js';
import { accessDenied, loginRefusal, masksRefused, refusal, tlsNeeded } from './refusal.js';
import { STATUS, plainOk } from './replies.js';
import { decodeResult } from './results.js';
import { NATIVE, SHA2 } from './scramble.js';
import { MySqlSession, type Sessions } from './session.js';
import { openUpstream } from './upstream.js';

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
  /** Of the target that was opened last. */
  version: string;
}

export function mysql(options: MySqlOptions = {}): Protocol {
  const common: Common = { options, sessions: new Map(), version: FIRST_VERSION };
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
  const { response, nonce } = await front.start({ version: options.version ?? common.version, thread, plugin });
  if (gate.requireTls && !front.secured) {
    gate.broke('the client came without TLS, which is required');
    return front.close(tlsNeeded());
  }
  const wish = whereTo(response, options.connection, gate);
  const outcome = await login(front, gate, response, nonce, wish);
  if (outcome === 'needs-tls') return front.close(accessDenied(wish.user, NEEDS_TLS));
  if (outcome.type === 'refusal') return front.close(loginRefusal(outcome, wish.user));
  const unready = await unreadyFor(outcome, gate, wish.database);
  if (unready) return front.close(unready);

  const upstream = await openUpstream(gate, outcome.target, { ...response, database: wish.database });
  common.version = upstream.version.slice(0, MAX_VERSION_CHARACTERS);
  if (front.stream.destroyed) {
    upstream.stream.destroy();
    return;
  }
  const commands = wish.database === undefined ? 0 : 1;
  const session = new MySqlSession(gate, sessions, { admitted: outcome, upstream, client: response, commands });
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

const NEEDS_TLS =
  'The proof fits no token of the gateway. A token of an identity provider is sent over TLS only: switch TLS on in the client.';

interface WantedConnection {
  readonly user: string;
  readonly connection: string;
  /** To be used at the target; undefined: the connection's own. */
  readonly database: string | undefined;
}

/**
 * Which connection a client means: `USER%CONNECTION`; else its database, where a connection has that name; else the listener's.
 * Where the listener has none, the database is taken for a connection, so that its name is in what the client is told.
 */
function whereTo({ user, database }: HandshakeResponse, fallback: string | undefined, gate: Gate): WantedConnection {
  const at = user.lastIndexOf('%');
  if (at >= 0) return { user: user.slice(0, at), connection: user.slice(at + 1), database };
  const named = database !== undefined && (fallback === undefined || gate.hasConnection?.(database) === true);
  return named ? { user, connection: database, database: undefined } : { user, connection: fallback ?? '', database };
}

async function login(
  front: ClientStartup,
  gate: Gate,
  response: HandshakeResponse,
  nonce: Buffer,
  { user, connection }: WantedConnection,
): Promise<Admission | Refusal | 'needs-tls'> {
  const unencrypted = gate.loopback ? 'loopback' : 'open';
  const exchange = new LoginExchange(gate.login(user, connection), front.secured ? 'tls' : unencrypted);
  let step = exchange.begin({ plugin: response.plugin, proof: response.proof, nonce });
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
