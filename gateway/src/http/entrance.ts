/**
 * The door of one socket by HTTP. Owns: the way from what a request shows to a visit, and what is said to whoever shows nothing good. Does
 * not: know visits apart, or which paths are the gateway's own.
 */
import type { Entrance, HttpProof, OwnAnswer, OwnRequest, Refusal, Route, Visit } from '@sluice/contract';
import { MAX_CANDIDATES } from '@sluice/identity';
import type { LoginProof } from '../login.js';
import type { Services } from '../services.js';
import type { HttpComponents } from './components.js';
import { ProofUncheckable, type ShownProof } from './proofs.js';
import { routeOf } from './routes.js';
import { OpenVisit, type Threshold } from './visits.js';

/** For so long nobody looks again at what a proof is worth that came with the last request too, in milliseconds. */
const MAX_TRUST_MS = 1_000;

/** The way of the last request, which the next one of this socket most often takes too. */
interface Entered {
  readonly proofs: readonly HttpProof[];
  readonly connection: string;
  readonly visit: OpenVisit;
  /** Of what could have made it another way since. */
  readonly generation: number;
  /** When it was proven, in milliseconds of `performance.now`, and until when the proof is good, in milliseconds since 1970. */
  readonly at: number;
  readonly expires: number | undefined;
}

export class SocketEntrance implements Entrance {
  readonly #services: Services;
  readonly #parts: HttpComponents;
  readonly #door: Threshold;
  #last: Entered | undefined;

  constructor(services: Services, parts: HttpComponents, door: Threshold) {
    this.#services = services;
    this.#parts = parts;
    this.#door = door;
  }

  route(host: string, path: string): Route | undefined {
    return routeOf(this.#services.connections, host, path, this.#door.caller.listener.connection);
  }

  enter(route: Route | undefined, proofs: readonly HttpProof[]): Visit | Refusal | Promise<Visit | Refusal> {
    const connection = route?.connection ?? '';
    const again = this.#again(proofs, connection);
    if (again) return again;
    const generation = this.#generation;
    const shown = this.#prove(proofs);
    if (shown instanceof Promise) return shown.then((late) => (isRefusal(late) ? late : this.#visit(late, connection)));
    if (isRefusal(shown)) return shown;
    const visit = this.#visit(shown, connection);
    const { expires } = shown;
    if (visit instanceof OpenVisit)
      this.#last = { proofs, connection, visit, generation, at: performance.now(), expires };
    return visit;
  }

  /** A client repeats its proof with each request. Neither a revocation nor another configuration waits for anybody to look again. */
  #again(proofs: readonly HttpProof[], connection: string): OpenVisit | undefined {
    const last = this.#last;
    if (last?.proofs !== proofs || last.connection !== connection || last.generation !== this.#generation)
      return undefined;
    const isGood = last.expires === undefined || Date.now() < last.expires;
    return isGood && last.visit.usable && performance.now() - last.at < MAX_TRUST_MS ? last.visit : undefined;
  }

  get #generation(): number {
    return this.#services.identity.generation + this.#parts.visits.generation;
  }

  own(request: OwnRequest): Promise<OwnAnswer | Refusal> {
    return this.#parts.own.answer(request, this.#door, async () => this.#prove(request.proofs));
  }

  #visit(proof: LoginProof, connection: string): Visit | Refusal | Promise<Visit | Refusal> {
    const full = this.#door.proven(proof.principal.name);
    return full ?? this.#parts.visits.enter(proof, connection, this.#door.caller);
  }

  /** Whose all of the proofs are. */
  #prove(proofs: readonly HttpProof[]): LoginProof | Refusal | Promise<LoginProof | Refusal> {
    const [first, ...others] = proofs;
    if (!first) return this.#wrong('no proof');
    const differing = others.filter((one) => !isSame(one, first));
    if (differing.some(({ type }) => type === first.type)) return this.#refuse({ code: 'proofs-differ' });
    try {
      const shown = [first, ...differing].map((one) => this.#parts.proofs.read(one));
      if (shown.some((one) => one instanceof Promise)) return this.#proveLater(shown);
      return this.#agreed(shown as readonly ShownProof[]);
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #proveLater(shown: readonly (ShownProof | Promise<ShownProof>)[]): Promise<LoginProof | Refusal> {
    try {
      return this.#agreed(await Promise.all(shown.map(async (one) => one)));
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** One proof, or a token and a certificate that are the same principal's. */
  #agreed(shown: readonly ShownProof[]): LoginProof | Refusal {
    const [first] = shown;
    if (!first || shown.includes(undefined)) return this.#wrong();
    const same = shown.every((one) => one?.principal.name === first.principal.name);
    return same ? first : this.#refuse({ code: 'proofs-differ' });
  }

  #failed(error: unknown): Refusal {
    if (!(error instanceof ProofUncheckable)) throw error;
    return this.#refuse({ code: 'token-uncheckable', why: error.message });
  }

  #wrong(why?: string): Refusal {
    return this.#refuse({ code: 'wrong-proof', user: '', tokens: MAX_CANDIDATES }, why);
  }

  /** Whoever it is has proven nothing: summed beyond a rate, so that strangers fill no record. */
  #refuse(reason: Refusal['reason'], why?: string): Refusal {
    const kind = reason.code === 'token-uncheckable' ? 'unavailable' : 'credentials';
    this.#services.log.requestUnproven(this.#door, kind, why);
    return { type: 'refusal', reason };
  }
}

const isRefusal = (one: LoginProof | Refusal): one is Refusal => 'reason' in one;

const isSame = (one: HttpProof, other: HttpProof): boolean =>
  one.type === 'token' && other.type === 'token' ? one.secret === other.secret : one === other;
