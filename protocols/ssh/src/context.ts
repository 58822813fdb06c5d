/** What the channels of one client share. Types only. */
import type { Answer, ForwardCommand, Gate } from '@sluice/contract';
import type { Clock } from './clock.js';
import type { ChannelMux } from './channel-mux.js';
import type { EndingPrograms } from './ending-programs.js';

/** A program that has begun and not ended. `lost`: one of the two connections is gone. */
export interface RunningProgram {
  fail(message: string, outcome?: 'error' | 'lost'): void;
}

/** What the channels of one client share. */
export interface ClientContext {
  readonly gate: Gate;
  readonly clock: Clock;
  /** What reads command lines at the target, and as whom. */
  readonly shell: 'sh' | 'bash' | 'opaque';
  readonly account: string;
  /** Programs that have begun and not ended. */
  readonly running: Set<RunningProgram>;
  readonly ending: EndingPrograms;
  nextId(): number;
  /** The target, logged in. Rejects with a sentence. */
  target(): Promise<ChannelMux>;
  /** The proof of who it is does not permit it. */
  without(what: 'terminal' | 'forwarding' | 'agent' | 'x11'): boolean;
  /** Asks about what is beside the commands. On record either way. */
  askForward(wish: ForwardWish, answered: (answer: Answer) => void): void;
  /** The target may open channels of this kind from now on. */
  expect(kind: 'agent' | 'x11'): void;
  /** No machine has been named yet. */
  readonly menu: boolean;
  menuText(): string;
  /** Resolves with whether one was chosen. `keys` takes who reads the keyboard. */
  choose(show: (text: string) => void, keys: (take: (bytes: Buffer) => void) => void): Promise<boolean>;
}

export type ForwardWish = Pick<ForwardCommand, 'kind' | 'text' | 'host' | 'port' | 'path'>;
