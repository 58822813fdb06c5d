/** Passwords that stay with the agent. Owns: which of them goes with which target. Does not: send them (target.ts). */
import { readFileSync } from 'node:fs';

/** Where a secret is, and the only target that it is for. */
interface SecretPlace {
  readonly target: string;
  readonly source: 'env' | 'file';
  readonly name: string;
}

/**
 * Credentials that stay with the agent and are sent with one dial. One a line, `#` starts a comment:
 *
 *     shop  db.internal:5432  file:/run/secrets/shop
 *     audit db.internal:5432  env:AUDIT_PASSWORD
 *
 * Each is for one target, so that a gateway cannot have it sent along to another. Read anew at each dial.
 */
export class Secrets {
  readonly #places = new Map<string, SecretPlace>();

  /** @throws Error with the number of a line that cannot be read */
  constructor(text: string) {
    for (const [at, line] of text.split('\n').entries()) {
      const bare = line.replace(/#.*/, '').trim();
      if (bare === '') continue;
      const [, secret, target, source, name] = /^(\S+)\s+(\S+:\d+)\s+(env|file):(\S+)$/.exec(bare) ?? [];
      if (!secret || !target || !source || !name)
        throw new Error(`line ${at + 1} of the secrets: write NAME HOST:PORT file:/path or env:NAME`);
      this.#places.set(secret, { target: target.toLowerCase(), source: source as 'env' | 'file', name });
    }
  }

  /** Undefined when there is none of that name for this target. Throws when it cannot be read. */
  find(secret: string, host: string, port: number): string | undefined {
    const place = this.#places.get(secret);
    if (place?.target !== `${host.toLowerCase()}:${port}`) return undefined;
    const value =
      place.source === 'env' ? process.env[place.name] : readFileSync(place.name, 'utf8').replace(/\r?\n$/, '');
    return value === '' ? undefined : value;
  }
}
