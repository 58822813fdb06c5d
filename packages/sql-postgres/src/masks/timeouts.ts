/**
 * How long a session lets its statements wait (lock_timeout and its kin), for those that wait in the gateway and not at the target. Owns: what
 * the settings are by the statements that the target has confirmed. Does not own: who waits for what (`turns.ts`).
 */
import type { TimeoutSetting } from '@sluice/contract';
import type { SessionEffect } from '../lineage/index.js';

const NAMES = [
  'lock_timeout',
  'statement_timeout',
  'transaction_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
] as const;
type Name = (typeof NAMES)[number];

/** In milliseconds. Absent: there is none, or nobody knows. */
type Values = Readonly<Partial<Record<Name, number>>>;

interface State {
  readonly now: Values;
  /** What SET LOCAL gives way to. */
  readonly lasting: Values;
}

/** What of it bounds a wait. */
export interface WaitBound {
  /** After so many milliseconds the statement fails, by this setting. */
  readonly fails?: { readonly by: TimeoutSetting; readonly afterMs: number };
  /** The target would end the session for being idle, while the client is not. */
  readonly idleMs: number;
}

/** As a part of one JSON document that the target makes: names and texts. */
export const TIMEOUTS_OF_SESSION = `pg_catalog.json_build_object(${NAMES.map(
  (name) => `'${name}', pg_catalog.current_setting('${name}', true)`,
).join(', ')})`;

export class Timeouts {
  #state: State = { now: {}, lasting: {} };
  #initial: Values = {};
  /** Open transaction and its savepoints, oldest first; the first has no name. */
  #saved: readonly { readonly savepoint: string; readonly state: State }[] = [];
  /** Without a block: what an error goes back to. */
  #since: State | undefined;
  #isLost = false;

  /** What the session has begun with, by `TIMEOUTS_OF_SESSION`. */
  begun(texts: unknown): void {
    const found = Object.entries(typeof texts === 'object' && texts !== null ? texts : {});
    this.#initial = Object.fromEntries(found.flatMap(([name, text]) => entryOf(name, text)));
    this.#state = { now: this.#initial, lasting: this.#initial };
  }

  /** A statement with these effects has been confirmed. */
  follow(effects: readonly SessionEffect[]): void {
    for (const effect of effects) this.#follow(effect);
  }

  /** The block has failed: whatever ends it takes it back. */
  blockFailed(): void {
    this.#isLost = true;
  }

  /** No transaction is open any more. */
  idle(failed: boolean): void {
    this.#end(failed);
  }

  /** @param isOpen a transaction is open at the target, where the clocks of transactions run */
  bound(isOpen: boolean): WaitBound {
    const { now } = this.#state;
    const names = isOpen ? (['lock_timeout', 'statement_timeout'] as const) : FAILING;
    const [first] = names
      .flatMap((by) => (now[by] ? [{ by, afterMs: now[by] }] : []))
      .toSorted((one, other) => one.afterMs - other.afterMs);
    const idle = now[isOpen ? 'idle_in_transaction_session_timeout' : 'idle_session_timeout'];
    // Half of it, for the way there.
    return { ...(first && { fails: first }), idleMs: idle ? idle / 2 : Infinity };
  }

  #follow(effect: SessionEffect): void {
    switch (effect.type) {
      case 'setting': {
        const { name, value, local } = effect;
        if (!isName(name)) return;
        const { now, lasting } = this.#state;
        const set = value === undefined ? this.#initial[name] : millisecondsOf(value[0] ?? '');
        this.#set({ now: withValue(now, name, set), lasting: local ? lasting : withValue(lasting, name, set) });
        return;
      }
      case 'reset all':
        this.#set({ now: this.#initial, lasting: this.#initial });
        return;
      case 'discard':
        // It commits at once (PreventInTransactionBlock).
        if (effect.what === 'all') this.#state = { now: this.#initial, lasting: this.#initial };
        return;
      case 'transaction':
        this.#transaction(effect);
        return;
      default:
    }
  }

  #set(state: State): void {
    if (this.#saved.length === 0) this.#since ??= this.#state;
    this.#state = state;
  }

  #transaction({ kind, savepoint, chain }: Extract<SessionEffect, { type: 'transaction' }>): void {
    const at = this.#saved.findLastIndex((one) => one.savepoint === savepoint && savepoint !== '');
    switch (kind) {
      case 'begin':
        if (this.#saved.length > 0) return;
        this.#saved = [{ savepoint: '', state: this.#since ?? this.#state }];
        this.#since = undefined;
        return;
      case 'savepoint':
        this.#saved = [...this.#saved, { savepoint, state: this.#state }];
        return;
      case 'release':
        if (at >= 0) this.#saved = this.#saved.slice(0, at);
        return;
      case 'rollback to':
        this.#state = this.#saved[at]?.state ?? this.#state;
        if (at >= 0) this.#saved = this.#saved.slice(0, at + 1);
        this.#isLost = false;
        return;
      default:
        this.#end(kind === 'rollback');
        if (chain) this.#saved = [{ savepoint: '', state: this.#state }];
    }
  }

  #end(isUndone: boolean): void {
    const { lasting } = isUndone || this.#isLost ? (this.#saved[0]?.state ?? this.#since ?? this.#state) : this.#state;
    this.#state = { now: lasting, lasting };
    this.#saved = [];
    this.#since = undefined;
    this.#isLost = false;
  }
}

const FAILING = ['lock_timeout', 'statement_timeout', 'transaction_timeout'] as const;
const isName = (name: string): name is Name => (NAMES as readonly string[]).includes(name);

function withValue(values: Values, name: Name, value: number | undefined): Values {
  const { [name]: _, ...others } = values;
  return value === undefined ? others : { ...others, [name]: value };
}

const entryOf = (name: string, text: unknown): [Name, number][] => {
  const value = typeof text === 'string' ? millisecondsOf(text) : undefined;
  return isName(name) && value !== undefined ? [[name, value]] : [];
};

/** Units of time of a setting (guc.c), in milliseconds. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['us', 0.001],
  ['ms', 1],
  ['s', 1_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Of a text as SET takes it and SHOW gives it. Undefined for none (0), and for what cannot be read. */
export function millisecondsOf(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const value = Math.round(Number(digits || NaN) * (UNITS.get(unit) ?? NaN));
  return value > 0 ? value : undefined;
}
