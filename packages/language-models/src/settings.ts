/** What a configuration says of a target that serves language models. Types only. */
import type { Provider } from './provider.js';
import type { WordList } from './requests/words.js';

export interface ModelSettings {
  readonly provider: Provider;
  readonly lists: ReadonlyMap<string, WordList>;
  /** By the name of the tool. */
  readonly tools: ReadonlyMap<string, ToolArgument>;
}

/** An argument of a tool that is a command of its own. */
export interface ToolArgument {
  readonly argument: string;
  readonly language: 'postgres' | 'mysql' | 'mariadb' | 'sh' | 'bash';
}
