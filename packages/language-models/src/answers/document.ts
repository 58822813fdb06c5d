/**
 * A document that a provider keeps, of which nothing says what it is. Owns: that a text is masked as one, and that nothing else passes. Does
 * not: lines of JSON (lines.ts).
 */
import { BodyMask, type Editor, JsonParts, unmasked } from '@sluice/http-bodies';

const isControl = (byte: number): boolean => byte < 0x20 && (byte < 0x09 || byte > 0x0d);

export class DocumentAnswer implements Editor {
  readonly #mask: BodyMask;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });

  constructor({ detectors, pointers }: JsonParts) {
    this.#mask = new BodyMask('', Object.assign(new JsonParts(detectors, pointers), { unread: new Map() }));
  }

  get held(): number {
    return this.#mask.held;
  }

  get waits(): Promise<void> | undefined {
    return this.#mask.waits;
  }

  push(bytes: Buffer): Buffer {
    if (bytes.some(isControl)) throw unread();
    this.#check(() => this.#decoder.decode(bytes, { stream: true }));
    return this.#mask.push(bytes);
  }

  end(): Buffer {
    this.#check(() => this.#decoder.decode());
    return this.#mask.end();
  }

  release(): Buffer {
    return this.#mask.release();
  }

  #check(decode: () => string): void {
    try {
      decode();
    } catch {
      throw unread();
    }
  }
}

const unread = (): Error => unmasked('is a file that is no text, which masks cannot read');
