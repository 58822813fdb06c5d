/**
 * Answers of the control API that go on. Owns: ending each once whoever reads it may no more: the token revoked or expired, a
 * role or an access gone, or they are frozen. Does not: sessions, which have rules of their own.
 */

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
