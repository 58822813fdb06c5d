/**
 * Answers of the control API that go on. Owns: ending each once whoever reads it may no more: the token revoked or expired, a
 * role or an access gone, or they are frozen. Does not: sessions, which have rules of their own.
 */
import type { Principal } from '@sluice/contract';
import type { Proven } from '@sluice/identity';
import type { Controlled } from './controlled.js';

/** Whoever reads, as they are now; undefined: they may read nothing any more. */
export function stillReads({ identity, admissions }: Controlled, who: Proven): Principal | undefined {
  const principal = identity.still(who);
  const isKeptOut = principal && admissions.frozen({ ...who, principal, connection: undefined }) !== undefined;
  return isKeptOut ? undefined : principal;
}

interface OpenStream {
  /** Whether whoever reads it still may. */
  may(): boolean;
  end(): void;
}

export class Streams {
  readonly #open = new Set<OpenStream>();

  /** Returns what forgets it. */
  add(stream: OpenStream): () => void {
    this.#open.add(stream);
    return () => void this.#open.delete(stream);
  }

  /** Called every second. */
  look(): void {
    for (const stream of this.#open) {
      if (stream.may()) continue;
      this.#open.delete(stream);
      stream.end();
    }
  }
}
