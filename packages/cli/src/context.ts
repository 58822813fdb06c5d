/** What every command may ask for: the API, the output format, the data folder. Owns: how global options decide it. */
import type { Command } from 'commander';
import { ApiClient, findUrl } from './client.js';
import type { OutputFormat } from './output.js';

/** What every command may ask for; the global options decide. */
export interface CommandContext {
  api(): ApiClient;
  format(): OutputFormat;
  data(): string;
  /** Of the control API. */
  url(): string;
}

export interface GlobalOptions {
  readonly url?: string;
  readonly token?: string;
  readonly data: string;
  readonly output: OutputFormat;
}

export function contextOf(program: Command): CommandContext {
  const options = (): GlobalOptions => program.opts<GlobalOptions>();
  return {
    api: () => ApiClient.find(options()),
    format: () => options().output,
    data: () => options().data,
    url: () => findUrl(options()),
  };
}
