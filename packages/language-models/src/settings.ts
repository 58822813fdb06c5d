/** What a configuration says of a target that serves language models. Owns: which names of tools are one. */
import type { Dialect } from '@sluice/contract';
import type { Provider } from './provider.js';
import type { WordList } from './requests/words.js';

export interface ModelSettings {
  readonly provider: Provider;
  readonly lists: ReadonlyMap<string, WordList>;
  /** By the name of the tool, as `toolName` has it. */
  readonly tools: ReadonlyMap<string, ToolArgument>;
  /** By the name of the model. */
  readonly prices: ReadonlyMap<string, Price>;
}

/** Of a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** An argument of a tool that is a command of its own. */
export interface ToolArgument {
  readonly argument: string;
  readonly language: /** `version`: of a usual server, where that decides how texts are read. */
    | { readonly type: 'sql'; readonly dialect: Dialect['name']; readonly version?: string }
    | { readonly type: 'shell'; readonly shell: 'sh' | 'bash' };
}

/** Some agents take a name without its case, or with blanks around it, for the same. */
export const toolName = (name: string): string => name.trim().toUpperCase().toLowerCase();
