/** Where a command stands, and the action that is made of it. Owns: bounds of one action. Pure. */
import type { Action, Effect, Resource } from '@sluice/contract';
import type { VariableWords, WordValue } from './words.js';

export type ShellDialect = 'sh' | 'bash';

/** Where a simple command stands. */
export interface Setting {
  readonly dialect: ShellDialect;
  readonly statement: number;
  readonly depth: number;
  readonly variables: VariableWords;
  /** The text, or one that has it run, sets variables: a text that it has run may find them. */
  readonly assigns: boolean;
  /** Folders that the text changes to: a relative name may be in any of them. */
  readonly folders: readonly string[];
  /** The session has a terminal, which lets a pager take orders. */
  readonly terminal: boolean;
  /** What it prints goes to another program. */
  readonly piped: boolean;
  /** What it reads are names of files, from a program that looked where there are no secrets. */
  readonly fed: boolean;
  /** Arguments that are only known when it runs are such names. */
  readonly named: boolean;
  /** How many programs or texts run it. */
  readonly nested: number;
}

/** Collects the actions of a text. */
export interface Collector {
  push(action: Action): void;
  /** A text that a shell is given to run: by `sh -c`, by `eval`. */
  script(text: string, dialect: ShellDialect, setting: Setting): void;
}

/** An action while it is put together. */
export class ActionDraft {
  readonly verb: string;
  readonly #effects = new Set<Effect>();
  readonly #resources: Resource[] = [];
  readonly #reasons = new Set<string>();

  constructor(verb: string) {
    this.verb = verb;
  }

  effect(...effects: readonly Effect[]): this {
    for (const effect of effects) this.#effects.add(effect);
    return this;
  }

  resource(type: Resource['type'], name: string, access: Resource['access']): this {
    // A line of many files is known by the first of them.
    if (
      this.#resources.length < MAX_RESOURCES &&
      !this.#resources.some((one) => one.name === name && one.access === access && one.type === type)
    )
      this.#resources.push({ type, name: name.slice(0, 1_000), access });
    return this;
  }

  unknown(reason: string): this {
    this.#effects.add('unknown');
    this.#reasons.add(reason);
    return this;
  }

  has(effect: Effect): boolean {
    return this.#effects.has(effect);
  }

  get empty(): boolean {
    return this.#effects.size === 0;
  }

  action(statement: number, depth: number): Action {
    if (this.#effects.size === 0) this.#effects.add('read');
    return {
      statement,
      depth,
      verb: this.verb,
      effects: [...this.#effects],
      resources: this.#resources,
      reasons: [...this.#reasons],
    };
  }
}

const MAX_RESOURCES = 200;

/** A simple command whose words have been resolved. */
export interface Invocation {
  readonly name: string;
  readonly values: readonly WordValue[];
  readonly setting: Setting;
  readonly draft: ActionDraft;
  readonly collector: Collector;
}

/** What is only known when it runs: any number of arguments. */
export const ANYTHING: WordValue = { text: '', known: false, glob: false, many: true };

/** The arguments as a line, each with a blank in front and `_` for those within; undefined unless all of them are literal. */
export function lineOf(values: readonly WordValue[]): string | undefined {
  let line = '';
  for (const { text, known, glob } of values) {
    if (!known || (glob && /^[*?[]/.test(text)) || text === '') return undefined;
    line += ` ${text.replaceAll(/\s/g, '_')}`;
  }
  return line;
}
