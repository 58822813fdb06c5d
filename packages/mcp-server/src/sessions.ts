/**
 * Sessions of MCP up to 2025-11-25. Owns: their ids, which say themselves whose they are and by which revision, so that nothing is kept of one that
 * only exists. Does not: sessions of the gateway, of which each call is one.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Ids of sessions that their clients have ended; the oldest beyond that are forgotten. */
const MAX_ENDED = 10_000;

export class McpSessions {
  /** Of this process: whoever comes with an older id begins anew. */
  readonly #key = randomBytes(32);
  readonly #ended = new Set<string>();

  /** `owner`: the key of the caller. */
  begin(owner: string, version: string): string {
    const start = `${version}.${randomBytes(15).toString('base64url')}`;
    return `${start}.${this.#seal(owner, start)}`;
  }

  /** The revision of a session of this caller; undefined: it is none, or somebody else's, or over. */
  versionOf(owner: string, id: string): string | undefined {
    const [version = '', serial = '', seal = '', ...rest] = id.split('.');
    if (rest.length > 0 || this.#ended.has(id)) return undefined;
    const due = Buffer.from(this.#seal(owner, `${version}.${serial}`));
    const shown = Buffer.from(seal);
    return shown.length === due.length && timingSafeEqual(shown, due) ? version : undefined;
  }

  end(id: string): void {
    this.#ended.add(id);
    const [oldest] = this.#ended;
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }

  #seal(owner: string, start: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([owner, start]))
      .digest('base64url');
  }
}
