/**
 * The target's own credential in what the target answers: pages that show a request's headers have it. Owns: the forms that it is
 * looked for in, and stars in its place. Does not: any other secret, which is for masks.
 */
import type { BodyEditor, EditedAnswer, Header, HttpEdits } from '@sluice/contract';

/** What is shorter stands in texts by chance. Bytes. */
const MIN_SECRET_BYTES = 8;
/** So much of the beginning of a secret is not let go before what follows is known. Bytes. */
const HELD_START_BYTES = 6;
/** For so long it is kept back at most, in milliseconds. */
const PATIENCE_MS = 10_000;
const STAR = 0x2a;

/** The secrets in all forms that a page may show them in: as they are, percent-encoded, and within base64 at any place. */
export function formsOf(secrets: readonly string[]): readonly Buffer[] {
  const long = secrets.filter((secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES);
  const texts = long.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    ...encoded(secret),
  ]);
  return [...new Set(texts)].map((text) => Buffer.from(text)).sort((a, b) => b.length - a.length);
}

/** The digits of base64 that hang on the secret alone, for each place of its first byte in a group of three. */
function encoded(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const inner = digits.slice(from, to);
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** Edits for a connection whose credential must not come back. `forms` is asked when an answer begins: tokens are renewed. */
export const hidesSecret = (forms: () => readonly Buffer[]): HttpEdits => ({
  // What is compressed, or a piece of something, could not be looked through.
  headers: [
    ['Accept-Encoding', 'identity'],
    ['Range', undefined],
    ['If-Range', undefined],
  ],
  answer: (_status, headers): EditedAnswer => {
    const looked = forms();
    return {
      headers: starredHeaders(headers, looked),
      body: looked.length === 0 ? undefined : new SecretEditor(looked),
      trailers: (trailers) => starredHeaders(trailers, looked),
    };
  },
});

/** The same list where none has a secret, which one look at all of them tells. */
function starredHeaders(headers: readonly Header[], forms: readonly Buffer[]): readonly Header[] {
  const all = Buffer.from(headers.map(([, value]) => value).join('\n'), 'latin1');
  if (!forms.some((form) => all.includes(form))) return headers;
  return headers.map(([name, value]): Header => [name, starredText(value, forms)]);
}

function starredText(text: string, forms: readonly Buffer[]): string {
  const bytes = Buffer.from(text, 'latin1');
  return star(bytes, 0, forms) ? bytes.toString('latin1') : text;
}

/** Overwrites every form, from `from` on. True: there was one. */
function star(bytes: Buffer, from: number, forms: readonly Buffer[]): boolean {
  let found = false;
  for (const form of forms) {
    for (let at = bytes.indexOf(form); at >= 0; at = bytes.indexOf(form, at + 1)) {
      if (at + form.length <= from) continue;
      bytes.fill(STAR, Math.max(at, from), at + form.length);
      found = true;
    }
  }
  return found;
}

/** Puts as many stars as the secret has bytes, so that lengths stay true. */
class SecretEditor implements BodyEditor {
  readonly keepsLength = true;
  readonly maxHoldMs = PATIENCE_MS;
  readonly #forms: readonly Buffer[];
  readonly #longest: number;
  /** The last of what has gone, as it came: a secret may have begun there. */
  #gone: Buffer = Buffer.alloc(0);
  #kept: Buffer = Buffer.alloc(0);

  constructor(forms: readonly Buffer[]) {
    this.#forms = forms;
    this.#longest = Math.max(0, ...forms.map(({ length }) => length));
  }

  get held(): number {
    return this.#kept.length;
  }

  push(bytes: Buffer): Buffer {
    const raw = Buffer.concat([this.#gone, this.#kept, bytes]);
    const from = this.#gone.length;
    const end = raw.length - this.#begun(raw, from);
    this.#kept = Buffer.from(raw.subarray(end));
    return this.#let(raw.subarray(0, end), from, raw);
  }

  release(): Buffer {
    const raw = Buffer.concat([this.#gone, this.#kept]);
    const from = this.#gone.length;
    this.#kept = Buffer.alloc(0);
    return this.#let(raw, from, raw);
  }

  end(): Buffer {
    return this.release();
  }

  /** What goes, without secrets; `whole` may have what follows it. */
  #let(going: Buffer, from: number, whole: Buffer): Buffer {
    const keep = Math.max(0, going.length - (this.#longest - 1));
    this.#gone = Buffer.from(going.subarray(keep));
    star(whole, from, this.#forms);
    return going.subarray(from);
  }

  /** How many bytes at the end may be the beginning of a secret, where it is long enough to be worth waiting for. */
  #begun(raw: Buffer, from: number): number {
    let most = 0;
    for (const form of this.#forms) {
      const longest = Math.min(form.length - 1, raw.length);
      for (let length = longest; length >= HELD_START_BYTES && length > most; length--) {
        if (raw[raw.length - length] !== form[0]) continue;
        if (raw.subarray(raw.length - length).equals(form.subarray(0, length))) most = length;
      }
    }
    return Math.min(most, raw.length - from);
  }
}
