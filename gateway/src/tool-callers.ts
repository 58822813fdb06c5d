/**
 * The gateway as its tools need it (packages/mcp-server): each call is a session of the caller, whose client is in this process. Owns: how such a
 * session begins. Does not: judge it otherwise than any other one, or speak a protocol.
 */
import type { Duplex } from 'node:stream';
import { NotNow } from '@sluice/analysis';
import { VERSION } from '@sluice/api';
import { shownOf } from '@sluice/audit';
import { isPackaged, protocolNamed } from '@sluice/config';
import type { Gate, OwnAnswer, OwnRequest, Refusal } from '@sluice/contract';
import { ControlError, type Controlled, explained } from '@sluice/control';
import { type Mark, redactBody, redactQuery } from '@sluice/http-requests';
import { type CallSession, type Caller, type Explain, McpServer, ToolError } from '@sluice/mcp-server';
import { redactSecrets } from '@sluice/recording';
import type { Door } from './http/door.js';
import { proofKey } from './http/proofs.js';
import { type Caller as From, type Visits, unreleased } from './http/visits.js';
import { type LoginProof, SessionLogin, mayReach } from './login.js';
import { loadProtocol } from './protocols.js';
import type { Connection, Listener, Services } from './services.js';
import type { Session } from './session.js';

/** What goes on record of a call that begins no session. */
const MAX_NOTED_CHARACTERS = 4_000;

/** What somebody has asked about, without secrets. */
function askedInWords(asked: Explain, key: Uint8Array, mark: Mark): string {
  if ('text' in asked) return redactSecrets(asked.text, key);
  const { method, path: written, body = '' } = asked.request;
  const [path = '', ...query] = written.split('?');
  const shown = query.length === 0 ? path : `${path}?${redactQuery(query.join('?'), mark)}`;
  const media = /^\s*[[{]/.test(body) ? 'application/json' : 'application/x-www-form-urlencoded';
  return `${method ?? (body === '' ? 'GET' : 'POST')} ${shown} ${redactBody(body, media, mark)}`.trim();
}

/** What is for a caller; all else is for whoever runs the gateway. */
function inWords(error: unknown): never {
  if (error instanceof ControlError) throw new ToolError({ message: error.message, hint: error.hint });
  if (error instanceof NotNow)
    throw new ToolError({ message: `It cannot be said at the moment: ${error.message}.`, hint: 'Try again.' });
  throw error;
}

/** Whoever asks for access has not begun one. */
const NO_SESSION = { id: '', signal: new AbortController().signal };

/** What begins a session, lists it, and ends it with its stream. */
export interface InsideSessions {
  session(listener: Listener, client: { readonly address: string; readonly loopback: boolean }): Session;
  door(caller: From): Door;
  readonly enter: Visits['enter'];
  serve(stream: Duplex, gate: Session | Door, listener: Listener, spoken: Gate): void;
}

type Parts = Pick<Controlled, 'approvals' | 'sshKeys' | 'languages' | 'rules' | 'pins'> & {
  readonly sshKeys: { readonly hostKey: Parameters<typeof loadProtocol>[2]['hostKeys'][string] };
};

export class ToolCallers {
  readonly #services: Services;
  readonly #gateway: Parts;
  readonly #sessions: InsideSessions;
  readonly #server = new McpServer({ version: VERSION });
  readonly #listeners = new Map<string, Promise<Listener>>();
  readonly #redactionKey: Uint8Array;

  /** `redactionKey`: by which secrets are left out of the record. */
  constructor(services: Services, gateway: Parts, sessions: InsideSessions, redactionKey: Uint8Array) {
    this.#services = services;
    this.#gateway = gateway;
    this.#sessions = sessions;
    this.#redactionKey = redactionKey;
  }

  async answer(request: OwnRequest, proof: LoginProof, from: From): Promise<OwnAnswer | Refusal> {
    const { principal } = proof;
    // Tools that need no session look at rules, and ask people.
    const frozen = this.#services.admissions.frozen({ ...proof, connection: undefined });
    if (frozen) return { type: 'refusal', reason: { code: 'frozen', subject: frozen.subject, why: frozen.why } };
    const caller: Caller = {
      principal,
      key: proofKey(proof),
      connections: () => [...this.#services.connections.values()].filter((one) => this.#reached(one.name, proof)),
      begin: (name) => this.#begin(name, proof, from),
      explain: async (name, asked) => {
        const found = this.#gateway.rules.of(name);
        if (!found) throw new ToolError({ message: `There is no connection "${name}".` });
        const wish = 'text' in asked ? { sql: asked.text } : asked;
        return explained(this.#gateway, { found, principal, owner: principal.name, wish }).catch(inWords);
      },
      noted: (what, about, asked) => {
        const { log, mark } = this.#services;
        const words = asked ? `${about}: ${askedInWords(asked, this.#redactionKey, mark)}` : about;
        const rest = words.length - MAX_NOTED_CHARACTERS;
        const detail = rest > 0 ? `${words.slice(0, MAX_NOTED_CHARACTERS)} (${rest} more characters)` : words;
        log.admin({ actor: principal.name, ...shownOf(proof.tokenId, proof.makers ?? []) }, `mcp.${what}`, detail);
      },
      requestAccess: (name) => unreleased(this.#services, NO_SESSION, proof, this.#reached(name, proof)),
      approvals: this.#gateway.approvals,
      broke: (reason) => this.#services.log.operator.error({ principal: principal.name }, reason),
    };
    return this.#server.answer(request, caller);
  }

  async #begin(name: string, proof: LoginProof, from: From): Promise<CallSession | undefined> {
    const connection = this.#reached(name, proof);
    if (!connection) return undefined;
    const listener = await this.#listener(connection.protocol);
    const client = `mcp ${from.client}`;
    if (connection.http) return this.#byHttp(proof, { ...from, client, listener: { ...listener, connection: name } });
    const session = this.#sessions.session(listener, { address: client, loopback: from.loopback });
    return {
      gate: session,
      admit: (account) => new SessionLogin(session, this.#services, listener).admit(proof, name, account),
      visit: () => Promise.reject(new Error('this is no session by HTTP')),
      giveUp: () => session.end({ code: 'given-up' }),
      serve: (stream, gate) => this.#sessions.serve(stream, session, listener, gate),
    };
  }

  #byHttp(proof: LoginProof, from: From): CallSession {
    const door = this.#sessions.door(from);
    const { name } = proof.principal;
    return {
      gate: door,
      admit: () => Promise.reject(new Error('by HTTP there are visits')),
      visit: () => door.proven(name) ?? this.#sessions.enter(proof, from.listener.connection ?? '', from),
      giveUp: () => door.end({ code: 'given-up' }),
      serve: (stream, gate) => this.#sessions.serve(stream, door, from.listener, gate),
    };
  }

  #reached(name: string, proof: LoginProof): Connection | undefined {
    const found = this.#services.connections.get(name);
    return found && !isPackaged(found.protocol) && mayReach(this.#services, proof, found) ? found : undefined;
  }

  /** No port has to be open for it. */
  #listener(name: string): Promise<Listener> {
    const known = this.#listeners.get(name);
    if (known) return known;
    const parts = { hostKeys: { 'ssh-ed25519': this.#gateway.sshKeys.hostKey }, info: () => undefined };
    const { traits } = protocolNamed(name);
    const made = loadProtocol(name, new Map(), parts).then((protocol) => ({ protocol, traits, tls: undefined }));
    this.#listeners.set(name, made);
    return made;
  }
}
