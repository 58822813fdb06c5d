/** Reads the requests of a session channel (RFC 4254 sections 6.5, 6.9 and 6.10). Does not: act on them. */
import { SshFields, KeyError } from '@sluice/keys';
import type { Exit } from './session-state.js';

/** What a client wants to run. */
export interface StartRequest {
  readonly kind: 'exec' | 'shell' | 'subsystem';
  /** The command line or the name of the subsystem; empty for a shell. */
  readonly text: string;
  /** As the client sent it, for the target. */
  readonly details: Buffer;
}

export const SHELL: StartRequest = { kind: 'shell', text: '', details: Buffer.alloc(0) };

export const isStart = (name: string): name is StartRequest['kind'] =>
  name === 'exec' || name === 'shell' || name === 'subsystem';

/** @throws KeyError where it is not what a shell could be given */
export function readStart(kind: StartRequest['kind'], body: Buffer): StartRequest {
  const text = kind === 'shell' ? '' : new SshFields(body).text();
  if (text.includes('\0')) throw new KeyError('a NUL byte is in it');
  return { kind, text, details: Buffer.from(body) };
}

export const isExit = (name: string): boolean => name === 'exit-status' || name === 'exit-signal';

/** @throws KeyError where it cannot be read */
export function readExit(name: string, body: Buffer): Exit {
  const fields = new SshFields(body);
  if (name === 'exit-signal') {
    return { summary: `signal ${fields.string().toString('latin1').slice(0, 20)}`, failed: true };
  }
  const status = fields.uint32();
  return { summary: `exit ${status}`, failed: status !== 0 };
}
