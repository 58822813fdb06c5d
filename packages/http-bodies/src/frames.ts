/**
 * The objects and lists that a place in a document lies in. Owns: depth, names that an object has twice, what rules say of a place, and
 * what has gone as a whole. Does not: read anything.
 */
import type { MaskOptions } from '@sluice/masking';
import { unmasked } from './fault.js';
import type { Name } from './names.js';
import type { Place, Pointers } from './pointers.js';

/** Objects and lists within each other. */
const MAX_DEPTH = 200;
/** Names that are remembered at a time, of all open objects, so that none comes twice. */
const MAX_NAMES = 100_000;
/** So few names are looked through one by one. */
const FEW = 12;

interface Frame {
  isObject: boolean;
  /** Of a list: the name that it is given to. */
  name: Name | undefined;
  place: Place | undefined;
  mask: MaskOptions | undefined;
  /** Items so far. */
  index: number;
  /** Names of the object so far, as far as they are few; what is behind `count` is of another object. */
  names: string[];
  count: number;
  more: Set<string> | undefined;
  /** Masked names so far. */
  masked: number;
}

export class Frames {
  readonly #pointers: Pointers | undefined;
  readonly #start: Place | undefined;
  /** Used again at each depth. */
  readonly #frames: Frame[] = [];
  depth = 0;
  #names = 0;
  /** Nothing within this depth is given; 0: all is. */
  #swallowed = 0;
  /** Of the value at work. */
  place: Place | undefined;
  mask: MaskOptions | undefined;

  constructor(pointers: Pointers | undefined, start: Place | undefined) {
    this.#pointers = pointers;
    this.#start = start;
  }

  get isSwallowing(): boolean {
    return this.#swallowed > 0;
  }

  get isObject(): boolean {
    return this.depth > 0 && (this.#frames[this.depth - 1] as Frame).isObject;
  }

  /** The name that the innermost list is given to. */
  get nameOfList(): Name | undefined {
    return this.depth === 0 ? undefined : (this.#frames[this.depth - 1] as Frame).name;
  }

  /** A value begins, which is that of `name` in an object. */
  begin(name: Name | undefined): void {
    if (!this.#pointers) return;
    if (this.depth === 0) {
      this.place = this.#start;
      this.mask = this.#start?.mask;
      return;
    }
    const frame = this.#frames[this.depth - 1] as Frame;
    const symbol = frame.isObject && name ? name.symbol : this.#pointers.symbolOfItem(frame.index++);
    this.place = frame.place && !frame.place.isDead ? this.#pointers.child(frame.place, symbol) : undefined;
    this.mask = frame.mask ?? this.place?.mask;
  }

  /** The value at work is an object or a list. `gone`: nothing of it is given. */
  open(isObject: boolean, name: Name | undefined, gone: boolean): void {
    if (this.depth === MAX_DEPTH) throw unmasked(`is nested more than ${MAX_DEPTH} deep`);
    const frame = (this.#frames[this.depth] ??= emptyFrame());
    frame.isObject = isObject;
    frame.name = isObject ? undefined : name;
    frame.place = this.place;
    frame.mask = this.mask;
    frame.index = 0;
    frame.masked = 0;
    this.depth++;
    if (gone) this.#swallowed = this.depth;
  }

  /** @returns whether what ends here was not given */
  close(): boolean {
    const frame = this.#frames[this.depth - 1] as Frame;
    this.#names -= frame.more?.size ?? frame.count;
    // Its names stay until others take their places: to cut an array costs as much as to look through a short value.
    frame.count = 0;
    frame.more = undefined;
    const gone = this.#swallowed === this.depth;
    if (gone) this.#swallowed = 0;
    this.depth--;
    return gone;
  }

  /** A member of the innermost object. @throws Unmasked where it has that name already: clients take one or the other */
  named({ text }: Name): void {
    const frame = this.#frames[this.depth - 1] as Frame;
    if (frame.more ? frame.more.has(text) : isAmong(frame, text))
      throw unmasked('has an object with the same name twice');
    if (++this.#names > MAX_NAMES) throw unmasked(`has objects of more than ${MAX_NAMES} members`);
    if (frame.more) frame.more.add(text);
    else {
      frame.names[frame.count++] = text;
      if (frame.count > FEW) frame.more = new Set(frame.names);
    }
  }

  /** Two names that are masked alike stay two. */
  numbered(masked: string): string {
    const frame = this.#frames[this.depth - 1] as Frame;
    return ++frame.masked === 1 ? masked : `${masked} ${frame.masked}`;
  }
}

function isAmong({ names, count }: Frame, text: string): boolean {
  for (let at = 0; at < count; at++) if (names[at] === text) return true;
  return false;
}

const emptyFrame = (): Frame => ({
  isObject: false,
  name: undefined,
  place: undefined,
  mask: undefined,
  index: 0,
  names: [],
  count: 0,
  more: undefined,
  masked: 0,
});
