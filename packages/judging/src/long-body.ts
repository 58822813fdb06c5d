/**
 * What detectors find in a long body, which another thread looks for once a rule has asked. Owns: that a rule is asked again then. Does not: look.
 */
import type { Detector, HttpBody } from '@sluice/contract';
import { foundInThread } from '@sluice/http-bodies';
import { BodyUnreadable } from '@sluice/http-requests';
import { inTurn } from './looking-turns.js';

/** A shorter one is looked through at once, within some milliseconds. */
const LONG_BYTES = 512 * 1024;

export type LongBody = HttpBody & { readonly type: 'whole' };

export const isLong = (body: HttpBody): body is LongBody => body.type === 'whole' && body.bytes.length > LONG_BYTES;

export class LongFindings {
  readonly #body: LongBody;
  readonly #query: string;
  readonly #owner: string;
  #isAsked = false;
  #found: readonly Detector[] | BodyUnreadable | undefined;

  /** `owner`: whose turn it takes. */
  constructor(body: LongBody, query: string, owner: string) {
    this.#body = body;
    this.#query = query;
    this.#owner = owner;
  }

  /** For rules. Before `look` they are told that there is nothing, and asked again. @throws BodyUnreadable */
  readonly found = (): readonly Detector[] => {
    if (this.#found instanceof BodyUnreadable) throw this.#found;
    this.#isAsked ||= this.#found === undefined;
    return this.#found ?? [];
  };

  /** A rule has asked, and was told what may not be so. */
  get isWanted(): boolean {
    return this.#isAsked && this.#found === undefined;
  }

  /** Rejects where the thread fails. */
  async look(): Promise<void> {
    try {
      this.#found = await inTurn(this.#owner, () => foundInThread(this.#body, this.#query));
    } catch (error) {
      if (!(error instanceof BodyUnreadable)) throw error;
      this.#found = error;
    }
  }
}
