/**
 * One command by SSH on a stream of this process. Owns: what of its output is kept. Does not: encrypt or frame, which ssh2 does; know machines, which
 * the gate does.
 */
import { Client } from 'ssh2';
import type { OpenCall } from '../call-gate.js';
import { ClientError } from './statement.js';

export interface Executed {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** What a program wrote on one stream. */
export interface Output {
  /** Its start. */
  readonly kept: Buffer;
  /** All of it. */
  readonly bytes: number;
}

interface Run {
  /** The connection, or `account+connection`. */
  readonly user: string;
  readonly command: string;
  /** What it reads from its standard input, which ends behind it. */
  readonly input: string;
  /** Of each stream, so many bytes are kept. What comes behind them is read and counted, so that the program is not stopped by it. */
  readonly keep: number;
}

/** @throws ClientError when it is not let in */
export async function execute({ stream, secret }: OpenCall, run: Run): Promise<Executed> {
  const client = new Client();
  try {
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    client.once('ready', resolve);
    client.on('error', reject);
    client.once('close', () => reject(new Error('the session ended')));
    client.connect({
      sock: stream,
      username: run.user,
      password: secret,
      // The other end is in this process.
      hostVerifier: () => true,
      readyTimeout: 0,
    });
    await ready;
    return await executed(client, run);
  } catch (error) {
    throw new ClientError({ message: (error as Error).message });
  } finally {
    client.destroy();
  }
}

function executed(client: Client, { command, input, keep }: Run): Promise<Executed> {
  const { promise, resolve, reject } = Promise.withResolvers<Executed>();
  client.once('close', () => reject(new Error('the session ended before the command did')));
  client.exec(command, (error, channel) => {
    if (error) return reject(error);
    const stdout = new Kept(keep);
    const stderr = new Kept(keep);
    let code: number | undefined;
    let signal: string | undefined;
    channel.on('data', (bytes: Buffer) => stdout.add(bytes));
    channel.stderr.on('data', (bytes: Buffer) => stderr.add(bytes));
    channel.on('exit', (status: number | null, name?: string) => {
      code = status ?? undefined;
      signal = name;
    });
    channel.on('close', () => resolve({ stdout: stdout.output, stderr: stderr.output, code, signal }));
    channel.end(input);
  });
  return promise;
}

/** The start of a stream, and how long all of it was. */
class Kept {
  readonly #most: number;
  readonly #pieces: Buffer[] = [];
  #kept = 0;
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(bytes: Buffer): void {
    this.#bytes += bytes.length;
    const room = this.#most - this.#kept;
    if (room <= 0) return;
    const piece = bytes.subarray(0, room);
    this.#pieces.push(piece);
    this.#kept += piece.length;
  }

  get output(): Output {
    return { kept: Buffer.concat(this.#pieces), bytes: this.#bytes };
  }
}
