/**
 * Which values of a document rules name: JSON pointers (RFC 6901) with `*` for one step and `**` for any number of them. Owns: following
 * all of them at once, in one step for each name. Does not: read documents, or mask anything.
 */
import { isUtf8 } from 'node:buffer';
import type { MaskRule } from '@sluice/contract';
import { pointerSteps } from '@sluice/http-requests';
import { type MaskOptions, modeOf, stricter } from '@sluice/masking';
import { unmasked } from './fault.js';

/** No connection has more of them. */
const MAX_POINTERS = 500;
/** Sets of places that documents have led to. Beyond that they are forgotten, and found again. */
const MAX_STATES = 4096;

/** Names are compared without case: some clients read them so (Go's encoding/json, .NET). */
const foldedName = (name: string): string => name.toUpperCase().toLowerCase();

const isWild = (step: string): boolean => step === '*' || step === '**';

const ASCII = /^[\0-\x7f]*$/;

/** Where the pointers are behind some names. */
export interface Place {
  /** A pointer ends here: the value is masked so. */
  readonly mask: MaskOptions | undefined;
  /** No pointer leads on from here. */
  readonly isDead: boolean;
}

interface State extends Place {
  readonly places: readonly number[];
  readonly next: (State | undefined)[];
}

/** No name of any pointer. */
export const OTHER_NAME = 0;

export class Pointers {
  /** The steps of all pointers, one behind the other; undefined: a pointer has ended. */
  readonly #steps: (string | undefined)[] = [];
  readonly #masks = new Map<number, MaskRule>();
  readonly #names = new Map<string, number>();
  readonly #key: Uint8Array;
  readonly #states = new Map<string, State>();
  readonly #hasNumbers: boolean;
  /** Some name has letters that other charsets write in other bytes. */
  readonly #hasLetters: boolean;
  readonly start: Place;

  /** @throws TypeError for what is no pointer, and for too many */
  constructor(rules: readonly { readonly pointer: string; readonly rule: MaskRule }[], key: Uint8Array) {
    if (rules.length > MAX_POINTERS) throw new TypeError(`there are more than ${MAX_POINTERS} places in bodies`);
    this.#key = key;
    const starts = rules.map(({ pointer, rule }) => {
      const start = this.#steps.length;
      this.#steps.push(...pointerSteps(pointer).map((step) => (isWild(step) ? step : foldedName(step))));
      this.#masks.set(this.#steps.push(undefined) - 1, rule);
      return start;
    });
    for (const step of this.#steps)
      if (step !== undefined && !isWild(step) && !this.#names.has(step)) this.#names.set(step, this.#names.size + 1);
    this.#hasNumbers = [...this.#names.keys()].some((name) => /^\d+$/.test(name));
    this.#hasLetters = [...this.#names.keys()].some((name) => !ASCII.test(name));
    this.start = this.#state(starts);
  }

  /** What a name is in here, for `child`. */
  symbolOf(name: string): number {
    return this.#names.get(foldedName(name)) ?? OTHER_NAME;
  }

  /** A name that is written in bytes. @throws BodyUnmasked where it could be one that is meant, in another charset */
  nameIn(bytes: Buffer): string {
    if (this.#hasLetters && !isUtf8(bytes)) throw unmasked('has a name that is no UTF-8 text, and may be one to mask');
    return bytes.toString('utf8');
  }

  /** The same of an item of an array. */
  symbolOfItem(index: number): number {
    return this.#hasNumbers ? (this.#names.get(String(index)) ?? OTHER_NAME) : OTHER_NAME;
  }

  child(place: Place, symbol: number): Place {
    const { places, next } = place as State;
    return (next[symbol] ??= this.#state(
      places.flatMap((at) => {
        const step = this.#steps[at];
        if (step === '**') return [at];
        return step !== undefined && (step === '*' || this.#names.get(step) === symbol) ? [at + 1] : [];
      }),
    ));
  }

  #state(from: readonly number[]): State {
    const all = new Set<number>();
    for (const start of from) {
      let at = start;
      all.add(at);
      while (this.#steps[at] === '**') all.add(++at);
    }
    const places = [...all].sort((a, b) => a - b);
    const id = places.join();
    const known = this.#states.get(id);
    if (known) return known;
    const ended = places.flatMap((at) => this.#masks.get(at) ?? []);
    const strictest = ended.reduce<MaskRule | undefined>(
      (one, other) => (one ? stricter(one, other) : other),
      undefined,
    );
    const mask = strictest && { mode: modeOf(strictest), key: this.#key, entity: '' };
    if (this.#states.size >= MAX_STATES) this.#states.clear();
    const state: State = { mask, isDead: places.every((at) => this.#steps[at] === undefined), places, next: [] };
    this.#states.set(id, state);
    return state;
  }
}
