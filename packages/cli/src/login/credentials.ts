/**
 * The file of tokens that `sluice login` has got. Owns: one entry for each gateway. Does not: get or renew them (issuer.ts).
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { IssuerRow } from '@sluice/api';
import { CliError } from '../errors.js';

/** What `sluice login` has got for one gateway. */
export interface LoginCredential {
  readonly issuer: IssuerRow;
  /** What is shown to the gateway. */
  readonly token: string;
  readonly refreshToken?: string;
  /** Of the token, in milliseconds since 1970. */
  readonly expires: number;
}

/** `$XDG_CONFIG_HOME/sluice` (XDG Base Directory Specification), else `~/.config/sluice`. */
const folder = (): string => join(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'sluice');
const credentialsFile = (): string => join(folder(), 'credentials.json');

/** One file for all gateways, by the origin of their control API: a token goes to the gateway that it was got for, only. */
export function readCredential(url: string): LoginCredential | undefined {
  const all = readAll();
  const key = keyOf(url);
  return Object.hasOwn(all, key) ? all[key] : undefined;
}

/** Undefined takes it away. Written beside the file and moved over it, so that no half of one is ever there. */
export function writeCredential(url: string, credential: LoginCredential | undefined): void {
  const all = { ...readAll() };
  if (credential) all[keyOf(url)] = credential;
  else delete all[keyOf(url)];
  mkdirSync(folder(), { recursive: true, mode: 0o700 });
  const file = credentialsFile();
  const next = `${file}.${process.pid}`;
  rmSync(next, { force: true });
  writeFileSync(next, `${JSON.stringify(all, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  chmodSync(next, 0o600);
  renameSync(next, file);
}

function readAll(): Record<string, LoginCredential> {
  const file = credentialsFile();
  if (!existsSync(file)) return {};
  try {
    const all: Record<string, LoginCredential> = JSON.parse(readFileSync(file, 'utf8'));
    return all;
  } catch {
    throw new CliError(`${file} cannot be read.`, 'Remove it and log in again: sluice login.');
  }
}

const keyOf = (url: string): string => new URL(url).origin;
