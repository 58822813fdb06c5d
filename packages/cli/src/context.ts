import type { Command } from 'commander';
import { ApiClient, findUrl } from './client.js';
import type { Format } from './output.js';

/** What every command may ask for; the global options decide. */
export interface Context {
  api(): ApiClient;
  format(): Format;
  data(): string;
  /** Of the control API. */
  url(): string;
}

export interface GlobalOptions {
  readonly url?: string;
  readonly token?: string;
  readonly data: string;
  readonly output: Format;
}

export function contextOf(program: Command): Context {
  const options = (): GlobalOptions => program.opts<GlobalOptions>();
  return {
    api: () => ApiClient.find(options()),
    format: () => options().output,
    data: () => options().data,
    url: () => findUrl(options()),
  };
}
