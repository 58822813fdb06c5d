/**
 * Values that are replaced on their way out and put back on their way in. Owns: the pairs of one visit, how long they are kept, and what their
 * tokens look like. Does not: find values, or know how one is written where its token stands. Pure.
 */
import { type Entity, ENTITIES } from './detectors/index.js';
import { keyed, looksMasked, type Mode, type Replacing, token } from './modes.js';

/** Pairs of one visit, and the characters of their values. The oldest ones go first: their tokens stay what they are then. */
const MAX_PAIRS = 10_000;
const MAX_VALUES_CHARACTERS = 1024 * 1024;
/** Values of one visit that are looked for wherever they stand. */
const MAX_TOLD = 200;

/** As `token` makes it, with the entity in it: a model is told what stands there, and no mask of a column looks like that. */
const PREFIX = 'tok_';
const DIGITS = 20;
const NAMES = ENTITIES.map((entity) => `${entity.toLowerCase()}_`);
const TOKEN = new RegExp(`${PREFIX}(${NAMES.join('|')})[a-z2-7]{${DIGITS}}`, 'g');
const MAX_TOKEN_CHARACTERS = PREFIX.length + Math.max(...NAMES.map(({ length }) => length)) + DIGITS;
const ALL_DIGITS = /^[a-z2-7]*$/;

export class Replacements {
  readonly #secret: Uint8Array;
  readonly #principal: string;
  /** Of this principal's tokens; made when there is something to replace, which few visits have. */
  #key: Uint8Array | undefined;
  /** By token, the oldest first. */
  readonly #values = new Map<string, string>();
  #characters = 0;
  /** Tokens by value, the oldest first: of values that a name before them has told, and that nothing tells once they were put back. */
  readonly #told = new Map<string, string>();

  /**
   * Tokens are the same for the same value in each visit of this principal, and no one else's: what somebody else was given says nothing here.
   *
   * @param key secret of this installation
   * @param principal whose visit it is, in a form that no two of them share
   */
  constructor(key: Uint8Array, principal: string) {
    this.#secret = key;
    this.#principal = principal;
  }

  /** Of what goes out: a value of the principal's own, which may be put back from now on. */
  readonly outward: Mode = { type: 'replaced', by: { replace: (value, entity) => this.#replace(value, entity) } };

  /** Of what goes out besides: tokens for values that have been told, whatever stands before them now. Undefined: there are none. */
  get again(): ((text: string) => string) | undefined {
    if (this.#told.size === 0) return undefined;
    const longestFirst = [...this.#told].sort(([one], [other]) => other.length - one.length);
    // As they are, and as they stand within a text that is JSON itself.
    const forms = longestFirst.flatMap(([value, named]) => [[value, named] as const, [escaped(value), named] as const]);
    return (text) => forms.reduce((left, [form, named]) => left.replaceAll(form, named), text);
  }

  /**
   * Of what comes in, where tokens are turned back. A value that is there in clear was never sent so: it becomes a pseudonym as of `hash`, also
   * where this principal has sent the same, or whoever tried values would learn which one it is.
   *
   * @param key as of all masks
   */
  inward(key: Uint8Array): Mode {
    const replace = (value: string, entity: string): string =>
      isMask(value) ? value : (token(value, { key, mode: { type: 'hash' }, entity }) as string);
    return { type: 'replaced', by: { replace, back: (known) => this.#values.get(known) } };
  }

  #replace(value: string, entity: string): string {
    // It came out of a mask, and whoever read it there may not have what it stands for.
    if (isMask(value)) return value;
    this.#key ??= keyed({ key: this.#secret, mode: { type: 'hash' }, entity: 'replacements' }, this.#principal);
    // Letter for letter: what is put back has to be what was there.
    const made = token(value, { key: this.#key, mode: { type: 'hash' }, entity: `exact ${entity}` }) as string;
    const named = `${PREFIX}${entity.toLowerCase()}_${made.slice(PREFIX.length)}`;
    this.#keep(named, value);
    if (entity === TOLD) this.#tell(named, value);
    return named;
  }

  #tell(named: string, value: string): void {
    this.#told.delete(value);
    this.#told.set(value, named);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest);
  }

  #keep(named: string, value: string): void {
    if (this.#values.delete(named)) this.#characters -= value.length;
    this.#values.set(named, value);
    this.#characters += value.length;
    for (const [oldest, old] of this.#values) {
      if (this.#values.size <= MAX_PAIRS && this.#characters <= MAX_VALUES_CHARACTERS) return;
      this.#values.delete(oldest);
      this.#characters -= old.length;
    }
  }
}

/** Found by the name before it. */
const TOLD: Entity = 'SECRET';

const escaped = (value: string): string => JSON.stringify(value).slice(1, -1);

/** All of a text is what a mask leaves, and not only a part of it. */
const isMask = (text: string): boolean =>
  looksMasked(text) && /^(?:\[masked(?::[A-Z_]+)?\]|tok_[a-z2-7_]+)$/.test(text);

/** Of tokens of one entity: what they are turned back by. */
export type BackOf = (entity: Entity) => Replacing['back'];

/** The text with values in place of tokens. `written`: how a value is written where its token stands; undefined: the token stays. */
export function withValues(
  text: string,
  backOf: BackOf,
  written: (value: string, at: number) => string | undefined,
): string {
  if (!text.includes(PREFIX)) return text;
  return text.replaceAll(TOKEN, (found: string, name: string, at: number) => {
    const value = backOf(name.slice(0, -1).toUpperCase() as Entity)?.(found);
    return (value === undefined ? undefined : written(value, at)) ?? found;
  });
}

/** From where on the end of a text may be the beginning of a token, whose rest follows; its length where nothing may. */
export function tokenStart(text: string): number {
  let at = Math.max(0, text.length - MAX_TOKEN_CHARACTERS + 1);
  for (at = text.indexOf('t', at); at >= 0; at = text.indexOf('t', at + 1)) if (mayBegin(text.slice(at))) return at;
  return text.length;
}

function mayBegin(end: string): boolean {
  if (end.length <= PREFIX.length) return PREFIX.startsWith(end);
  if (!end.startsWith(PREFIX)) return false;
  const rest = end.slice(PREFIX.length);
  return NAMES.some((name) =>
    rest.length <= name.length
      ? name.startsWith(rest)
      : rest.startsWith(name) && rest.length < name.length + DIGITS && ALL_DIGITS.test(rest.slice(name.length)),
  );
}
