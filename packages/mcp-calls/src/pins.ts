/**
 * Tools as they were when somebody looked at them, or when they were seen first: by connection and name. Owns: what is pinned, and what a
 * server offers in its place. Does not: decide what becomes of a change.
 */
import { type Tool, isToolName, toolFrom } from '@sluice/mcp';

/** A tool as it is kept. */
export interface PinRecord {
  readonly connection: string;
  readonly name: string;
  /** What calls go by; empty: nobody has looked at it yet. */
  readonly pinned: string;
  /** What the server says now, where that is something else; else empty. */
  readonly offered: string;
  /** When it became what it is, in milliseconds since 1970. */
  readonly since: number;
}

/** Where they are kept. */
export interface PinStore {
  all(): Promise<readonly PinRecord[]>;
  save(record: PinRecord): Promise<void>;
  remove(connection: string, name: string): Promise<void>;
}

export interface Pin {
  /** Undefined: it is new, and nobody has looked at it. */
  readonly pinned: Tool | undefined;
  /** What the server says, where that is not what is pinned. */
  readonly offered: Tool | undefined;
}

/** What a call of it goes by: what the server says now, which people may still have to look at. */
export const pinnedTool = (pin: Pin | undefined): Tool | undefined => pin?.offered ?? pin?.pinned;

/** Tools of one connection that are kept. A server that lists more at once has the rest nowhere. */
const MAX_TOOLS = 1000;
/** Where there is no room, a tool that no server has listed for so long gives its place to a new one. In milliseconds. */
const FORGOTTEN_MS = 86_400_000;

export class Pins {
  readonly #store: PinStore;
  readonly #failed: (error: Error) => void;
  readonly #pins = new Map<string, Map<string, Pin>>();
  /** When each was listed, or read at the start, by `performance.now`. */
  readonly #listed = new WeakMap<Map<string, Pin>, Map<string, number>>();
  /** Until when none can have been listed so long ago. */
  readonly #noneUntil = new WeakMap<Map<string, Pin>, number>();

  private constructor(store: PinStore, failed: (error: Error) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /** `failed`: is told when something cannot be kept. */
  static async open(store: PinStore, failed: (error: Error) => void): Promise<Pins> {
    const pins = new Pins(store, failed);
    for (const { connection, name, pinned, offered } of await store.all()) {
      // What could be a name when it was kept, and no more: nobody lists or calls it.
      if (!isToolName(name)) continue;
      pins.#of(connection).set(name, {
        pinned: pinned === '' ? undefined : toolFrom(pinned),
        offered: offered === '' ? undefined : toolFrom(offered),
      });
    }
    return pins;
  }

  find(connection: string, name: string): Pin | undefined {
    return this.#pins.get(connection)?.get(name);
  }

  /**
   * A server lists the tool. Undefined: there are too many already. `trusted`: a new one is pinned as it is, but not in the place of another:
   * else a server could list so many that what it says anew of one would count as seen first.
   */
  see(connection: string, tool: Tool, trusted: boolean, now = performance.now()): Pin | undefined {
    const known = this.#of(connection);
    const before = known.get(tool.name);
    const isFull = !before && known.size >= MAX_TOOLS;
    if (isFull && !this.#forgetOne(connection, known, now)) return undefined;
    this.#listedIn(known).set(tool.name, now);
    const isPinned = before ? before.pinned?.sha256 === tool.sha256 : trusted && !isFull;
    const pin: Pin = isPinned
      ? { pinned: before?.pinned ?? tool, offered: undefined }
      : { pinned: before?.pinned, offered: tool };
    if (pin.pinned?.sha256 !== before?.pinned?.sha256 || pin.offered?.sha256 !== before?.offered?.sha256)
      this.#keep(connection, tool.name, pin);
    return pin;
  }

  /** People have looked at what is offered, by its fingerprint: from now on calls go by that. */
  accept(connection: string, name: string, sha256: string): void {
    const { offered } = this.find(connection, name) ?? {};
    if (offered?.sha256 === sha256) this.#keep(connection, name, { pinned: offered, offered: undefined });
  }

  #forgetOne(connection: string, known: Map<string, Pin>, now: number): boolean {
    // Lists may be long, and each new tool of one would look for it.
    if (now < (this.#noneUntil.get(known) ?? 0)) return false;
    const listed = this.#listedIn(known);
    let oldest: string | undefined;
    for (const name of known.keys())
      if (oldest === undefined || (listed.get(name) ?? 0) < (listed.get(oldest) ?? 0)) oldest = name;
    if (oldest === undefined) return false;
    const from = (listed.get(oldest) ?? 0) + FORGOTTEN_MS;
    if (now < from) {
      this.#noneUntil.set(known, from);
      return false;
    }
    known.delete(oldest);
    listed.delete(oldest);
    this.#store.remove(connection, oldest).catch(this.#failed);
    return true;
  }

  #listedIn(known: Map<string, Pin>): Map<string, number> {
    let listed = this.#listed.get(known);
    if (!listed) {
      const now = performance.now();
      this.#listed.set(known, (listed = new Map(Array.from(known.keys(), (name) => [name, now]))));
    }
    return listed;
  }

  #keep(connection: string, name: string, pin: Pin): void {
    this.#of(connection).set(name, pin);
    const { pinned, offered } = pin;
    const record = { connection, name, pinned: pinned?.definition ?? '', offered: offered?.definition ?? '' };
    this.#store.save({ ...record, since: Date.now() }).catch(this.#failed);
  }

  #of(connection: string): Map<string, Pin> {
    let known = this.#pins.get(connection);
    if (!known) this.#pins.set(connection, (known = new Map()));
    return known;
  }
}
