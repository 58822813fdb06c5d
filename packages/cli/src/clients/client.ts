/**
 * What the command line knows of the clients of a protocol: how it opens one, and what it prints for others. Lives here: the
 * shape of a file in this folder, and nothing of any one protocol.
 */
import type { ConnectionRow } from '@sluice/api';
import type { Command } from 'commander';
import type { ApiClient } from '../client.js';
import type { CommandContext } from '../context.js';

export interface ConnectWish {
  /** Whom to log in as, other than oneself. */
  readonly user?: string;
  /** What to run, instead of a prompt. */
  readonly command?: string;
  /** The data folder that the command line was given, or the usual one; of a gateway elsewhere there is none. */
  readonly data?: string;
  /** The built-in prompt, although there is a client. */
  readonly builtin?: boolean;
}

export interface ProtocolClient {
  /** The protocol, as `sluice ls` has it. */
  readonly protocol: string;
  /** `sluice connect`: opens a client. Returns its exit status. @throws CliError when there is none */
  connect(row: ConnectionRow, wish: ConnectWish, api: ApiClient): Promise<number>;
  /** Adds what `sluice client-config` prints. `group` is `client-config`. */
  addConfig(group: Command, context: CommandContext): void;
}

/** A token for one login, and whose it is. @throws CliError when it may not be had */
export const loginTo = (
  api: ApiClient,
  connection: string,
  { user }: ConnectWish,
): Promise<{ user: string; token: string }> =>
  api.post<{ user: string; token: string }>('/v1/login', { connection, ...(user && { user }) });
