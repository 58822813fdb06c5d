/**
 * User authentication (RFC 4252) as the server. Owns: attempts, offers and names. Does not: what a proof is worth (the gate).
 */
import {
  type Admission,
  type Challenge,
  type Gate,
  type Menu,
  type Notice,
  REFUSAL_KINDS,
  type Refusal,
} from '@sluice/contract';
import { SshFields, KeyError, isCertificate, pack, parseCertificate, parsePublicKey } from '@sluice/keys';
import { Disconnect, M } from './messages.js';
import type { Transport } from './transport.js';
import * as words from './words.js';

/** Proofs that failed, before the connection is ended: OpenSSH's MaxAuthTries. */
const MAX_ATTEMPTS = 6;
/** Keys that may be offered. An offer is no attempt. */
const MAX_OFFERS = 64;
/** Requests that wait while one is being looked at. */
const MAX_WAITING_REQUESTS = 8;
/** Of account and connection, in characters: Linux has 32 for an account. */
const MAX_NAME_CHARACTERS = 512;
const METHODS = 'publickey,keyboard-interactive,password';

/** What a user name says: `account+connection`, with `+`, `#` or `:`, or the connection alone. */
function readName(name: string): { readonly account: string; readonly connection: string } {
  const at = Math.max(name.lastIndexOf('+'), name.lastIndexOf('#'), name.lastIndexOf(':'));
  return at < 0 ? { account: '', connection: name } : { account: name.slice(0, at), connection: name.slice(at + 1) };
}

export type LoggedIn = { readonly admission: Admission } | { readonly menu: Menu; readonly message: string };

/**
 * User authentication (RFC 4252) as the server: public keys, keyboard-interactive and password are offered at once. One
 * request is looked at a time, in order.
 */
export class ClientAuthentication {
  readonly #transport: Transport;
  readonly #gate: Gate;
  readonly #done: (who: LoggedIn) => void;
  #name: string | undefined;
  #challenge: Challenge | undefined;
  #attempts = 0;
  #offers = 0;
  #looking = false;
  #over = false;
  readonly #queue: Buffer[] = [];
  /** A prompt of ours is open: what to do with its answer. */
  #answer: ((responses: readonly string[]) => void) | undefined;
  #browsing: AbortController | undefined;
  readonly #gone = new AbortController();

  constructor(transport: Transport, gate: Gate, done: (who: LoggedIn) => void) {
    this.#transport = transport;
    this.#gate = gate;
    this.#done = done;
  }

  /** The client is gone: nobody waits for a browser any more. */
  stop(): void {
    this.#over = true;
    this.#browsing?.abort();
    this.#gone.abort();
  }

  receive(payload: Buffer): void {
    if (this.#over) return;
    const type = payload[0];
    if (type === M.infoResponse) return this.#infoResponse(new SshFields(payload.subarray(1)));
    if (type !== M.userauthRequest) throw new KeyError('a message that has no place before the login');
    // A new request takes the place of a prompt that nobody answers any more (RFC 4252 section 5).
    this.#browsing?.abort();
    if (this.#answer) {
      this.#answer = undefined;
      this.#looking = false;
    }
    if (!this.#looking) this.#request(payload);
    else if (this.#queue.length < MAX_WAITING_REQUESTS) this.#queue.push(Buffer.from(payload));
    else throw new KeyError('too many login requests at once');
  }

  #request(payload: Buffer): void {
    const fields = new SshFields(payload.subarray(1));
    const name = fields.text();
    const service = fields.text();
    const method = fields.text();
    if (service !== 'ssh-connection') throw new KeyError('only the service ssh-connection is there to log in to');
    if (this.#name !== undefined && this.#name !== name) throw new KeyError('the user name changed during the login');
    // It goes into the record with each attempt, of people who have proven nothing.
    if (name.length > MAX_NAME_CHARACTERS) throw new KeyError('the user name is longer than a name');
    this.#name = name;
    const { account, connection } = readName(name);
    this.#challenge ??= this.#gate.login('', connection, account);
    switch (method) {
      case 'publickey':
        return this.#publicKey(payload, fields, this.#challenge);
      case 'password':
        // A password that is to be changed is none of ours.
        if (fields.boolean()) return this.#failed();
        return this.#prove(this.#challenge.password(fields.text()));
      case 'keyboard-interactive':
        return this.#interactive(this.#challenge);
      case 'none':
        return this.#next(() => this.#refuse());
      default:
        return this.#failed();
    }
  }

  #publicKey(payload: Buffer, fields: SshFields, challenge: Challenge): void {
    const signed = fields.boolean();
    const algorithm = fields.text();
    const blob = Buffer.from(fields.string());
    if (!signed) {
      if (++this.#offers > MAX_OFFERS)
        return this.#transport.disconnect(Disconnect.noMoreAuthMethods, words.TOO_MANY_KEYS);
      if (challenge.offers(blob)) this.#transport.send(M.userauth60, algorithm, blob);
      else this.#refuse();
      return this.#next();
    }
    const what = pack(this.#transport.sessionId, { raw: payload.subarray(0, 1 + fields.position) });
    const signature = fields.string();
    if (!holds(blob, what, signature)) return this.#failed();
    this.#prove(challenge.publicKey(blob), 'key');
  }

  #interactive(challenge: Challenge): void {
    this.#looking = true;
    this.#ask('', [words.SECRET_PROMPT], ([secret = '']) => {
      if (secret !== '') return this.#prove(challenge.password(secret));
      const browsing = new AbortController();
      this.#browsing = browsing;
      // In the prompt: OpenSSH shows an instruction or a banner only where its LogLevel is INFO or more.
      const entered = Promise.withResolvers<void>();
      let shown = false;
      const show = (text: string): void => {
        shown = true;
        this.#ask('', [`${text}\n${words.CONFIRM_PROMPT}`], () => entered.resolve());
      };
      const verdict = challenge.interactive(show, browsing.signal, this.#transport.peer).then(async (result) => {
        // The client answers before it is told (RFC 4256 section 3.4).
        if (shown) await entered.promise;
        return result;
      });
      this.#prove(verdict, 'secret', browsing.signal);
    });
  }

  /** RFC 4256 section 3.2. */
  #ask(instruction: string, prompts: readonly string[], answer: (responses: readonly string[]) => void): void {
    this.#answer = answer;
    const fields = prompts.flatMap((prompt) => [prompt, false]);
    this.#transport.send(M.userauth60, '', instruction, '', prompts.length, ...fields);
  }

  #infoResponse(fields: SshFields): void {
    const answer = this.#answer;
    if (!answer) throw new KeyError('an answer to no question');
    this.#answer = undefined;
    const count = fields.uint32();
    if (count > 1) throw new KeyError('more answers than questions');
    answer(Array.from({ length: count }, () => fields.text()));
  }

  /** Waits for the verdict. `aborted`: the client has begun something else meanwhile, which is looked at instead. */
  #prove(verdict: Promise<Admission | Refusal>, by: 'key' | 'secret' = 'secret', aborted?: AbortSignal): void {
    this.#looking = true;
    void verdict.then(
      (result) => {
        if (this.#over || aborted?.aborted) return;
        this.#answer = undefined;
        if (result.type === 'admission') return void this.#released(result);
        if (result.menu) return this.#succeed({ menu: result.menu, message: words.aboveMenu(result) });
        if (REFUSAL_KINDS[result.reason.code] === 'credentials') return this.#failed();
        const sentence = words.loginRefused(result);
        if (by === 'secret') return this.#transport.disconnect(Disconnect.noMoreAuthMethods, sentence);
        // Another key may be somebody else's.
        this.#transport.send(M.userauthBanner, `sluice: ${sentence}\r\n`, '');
        this.#failed();
      },
      () => this.#transport.disconnect(Disconnect.byApplication, words.LOGIN_UNCHECKED),
    );
  }

  /** Where people have to agree to the session, the client reads so in banners (RFC 4252 section 5.4) and waits. */
  async #released(admission: Admission): Promise<void> {
    if (admission.release) {
      const say = (notice: Notice): void =>
        this.#transport.send(M.userauthBanner, `sluice: ${words.sessionWaits(notice)}\r\n`, '');
      const refused = await admission.release(say, this.#gone.signal);
      if (this.#over) return;
      if (refused) return this.#transport.disconnect(Disconnect.noMoreAuthMethods, words.loginRefused(refused));
    }
    this.#succeed({ admission });
  }

  #succeed(who: LoggedIn): void {
    this.#over = true;
    this.#transport.send(M.userauthSuccess);
    this.#done(who);
  }

  #failed(): void {
    if (++this.#attempts >= MAX_ATTEMPTS) {
      return this.#transport.disconnect(Disconnect.noMoreAuthMethods, words.TOO_MANY_LOGINS);
    }
    this.#next(() => this.#refuse());
  }

  #refuse(): void {
    this.#transport.send(M.userauthFailure, METHODS, false);
  }

  #next(first?: () => void): void {
    first?.();
    this.#looking = false;
    const waiting = this.#queue.shift();
    if (waiting && !this.#transport.over) this.#request(waiting);
  }
}

/** Whether whoever signed has the private half of this key, or of the key of this certificate. */
function holds(blob: Buffer, data: Buffer, signature: Buffer): boolean {
  try {
    const key = isCertificate(blob) ? parseCertificate(blob).key : parsePublicKey(blob);
    return key.verifies(data, signature);
  } catch {
    return false;
  }
}
