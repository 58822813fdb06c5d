/**
 * Secrets in a body that is recorded as it passes, in pieces that are cut anywhere. Owns: how much is kept until it can be told what is a
 * secret. Does not: which names are, or bodies that are there as a whole.
 */
import { isForm, mediaType } from './body.js';
import { type Mark, isSecretName, redactQuery } from './redact.js';
import { redactBody } from './meaning.js';

/** So much of what may have fields is kept until the body ends, so that most bodies are looked at as a whole. Characters. */
const MAX_KEPT_CHARACTERS = 64 * 1024;
/** Media without names of fields: they are written down as they come. */
const NO_FIELDS = /^(?:application\/(?:grpc\b|octet-stream$)|(?:image|audio|video)\/)/;
/** A name is no longer, with a short value. Characters. */
const MAX_MEMBER_CHARACTERS = 600;

/** Bytes are taken for Latin-1 and given so: names of secrets are ASCII. */
export class BodyRedactor {
  readonly #media: string;
  readonly #mark: Mark;
  #kept = '';
  /** The last piece ended within a secret, whose rest is left out. */
  #inSecret = false;
  /** It ended within an escape. */
  #inEscape = false;

  constructor(media: string, mark: Mark) {
    this.#media = media;
    this.#mark = mark;
  }

  /** What can be written down by now; empty: nothing. */
  push(bytes: Buffer): Buffer {
    this.#kept += bytes.toString('latin1');
    const waits = this.#kept.length <= MAX_KEPT_CHARACTERS && !NO_FIELDS.test(mediaType(this.#media));
    return waits ? EMPTY : this.#written(false);
  }

  /** What has been kept. More may follow, where an answer comes before the body has ended. */
  flush(): Buffer {
    return this.#kept === '' ? EMPTY : this.#written(true);
  }

  #written(whole: boolean): Buffer {
    const text = this.#inSecret ? this.#behindSecret(this.#kept) : this.#kept;
    this.#kept = '';
    if (text === '') return EMPTY;
    const cut = whole ? text.length : this.#cut(text);
    this.#kept = text.slice(cut);
    const piece = text.slice(0, cut);
    this.#inSecret = this.#endsInSecret(piece);
    this.#inEscape = this.#inSecret && ENDS_IN_ESCAPE.test(piece);
    return Buffer.from(redactBody(piece, this.#media, this.#mark), 'latin1');
  }

  /** Where a name may begin, or a member, that goes on in the next piece. Within a value it is cut anywhere. */
  #cut(text: string): number {
    const from = Math.max(0, text.length - MAX_MEMBER_CHARACTERS);
    const end = text.slice(from);
    if (!isForm(this.#media) && OPEN_MEMBER.test(text)) return text.length;
    const at = isForm(this.#media) ? end.lastIndexOf('&') : end.search(LAST_MEMBER);
    return at < 0 ? text.length : from + at;
  }

  #endsInSecret(piece: string): boolean {
    if (isForm(this.#media)) {
      const pair = piece.slice(piece.lastIndexOf('&') + 1);
      return pair.includes('=') && redactQuery(pair, this.#mark) !== pair;
    }
    if (mediaType(this.#media).startsWith('multipart/')) return false;
    const [, name = ''] = OPEN_MEMBER.exec(piece) ?? [];
    return isSecretName(name);
  }

  /** From behind the end of the secret on; empty: it goes on. */
  #behindSecret(text: string): string {
    if (isForm(this.#media)) return this.#goesOn(text, text.indexOf('&'));
    const rest = this.#inEscape ? text.slice(1) : text;
    this.#inEscape = ENDS_IN_ESCAPE.test(rest);
    return this.#goesOn(rest, STRING_END.exec(rest)?.[0].length ?? -1);
  }

  #goesOn(text: string, end: number): string {
    if (end < 0) return '';
    this.#inSecret = false;
    return text.slice(end);
  }
}

const EMPTY = Buffer.alloc(0);
const OPEN_MEMBER = /"([^"\\]{1,200})"\s*:\s*"(?:[^"\\]|\\[^])*\\?$/;
/** What may be a name, with or without its value, at the end of a text. */
const LAST_MEMBER = /(?:"[^"\\]{1,200}"\s{0,50}:\s{0,50})?"(?:[^"\\]|\\[^]){0,200}\\?(?:"\s{0,50}:?\s{0,50})?$/;
const STRING_END = /^(?:[^"\\]|\\[^])*"/;
/** What follows belongs to the last character. */
const ENDS_IN_ESCAPE = /(?:^|[^\\])(?:\\\\)*\\$/;
