/** What was used lately, by key. Owns: forgetting the rest. Does not: know whether what it has is still true. */
export class Recent<Key, Value> {
  readonly #size: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /** Between `size` and twice as many are kept. */
  constructor(size: number) {
    this.#size = size;
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

/** What is made of an object once, for as long as that is there: `make` says what, and all who ask share it. */
export function shared<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    let made = known.get(key);
    if (!made) known.set(key, (made = { value: make(key) }));
    return made.value;
  };
}

/** `make`, remembered for the objects that it was last given: for what is made of an object that nobody changes. */
export function remembered<Key extends object, Value extends object | string>(
  make: (key: Key) => Value,
  size = 128,
): (key: Key) => Value {
  const known = new Recent<Key, Value>(size);
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(key);
    known.set(key, made);
    return made;
  };
}
