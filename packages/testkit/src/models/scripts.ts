/** What a double of a language model is to say. Types, and how texts are cut into tokens. */

/** A call of a tool that it proposes. */
export interface ScriptedCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** One answer. */
export interface Script {
  readonly text?: string;
  /** What it has thought before. */
  readonly reasoning?: string;
  readonly calls?: readonly ScriptedCall[];
}

/** Cuts a text into pieces; the double sends an event for each. */
export type Cut = (text: string) => readonly string[];

/** About as long as tokens are. */
export const inTokens: Cut = (text) => text.match(/[^]{1,4}/g) ?? [];
