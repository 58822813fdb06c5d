/**
 * Gives signed heads of the journal to a file and a webhook elsewhere. Owns: when. Does not: sign them (packages/recording).
 */
import { open } from 'node:fs/promises';
import type { Config } from '@sluice/config';
import type { Head } from '@sluice/recording';
import type { Logger } from 'pino';
import { Webhooks } from './webhooks.js';

/** A witness is told of each seal, and of what is not sealed yet this often, in milliseconds. */
const INTERVAL_MS = 5 * 60_000;

/**
 * Gives signed heads of the journal away, to a file and a webhook elsewhere: whoever has the data folder can put an older copy of
 * the whole journal in its place, and only somebody who kept a later head can tell.
 */
export class Witness {
  readonly #file: string | undefined;
  readonly #webhooks: Webhooks;
  readonly #operator: Logger;
  #line = '';
  #toldAt = 0;
  /** One line after the other. */
  #written: Promise<void> = Promise.resolve();

  constructor({ file, webhook }: Config['record']['witness'], operator: Logger) {
    this.#file = file;
    this.#webhooks = new Webhooks(webhook ? [webhook] : [], operator);
    this.#operator = operator;
  }

  /** `signed`: the head as a line with its signature. */
  see(head: Head, signed: string): void {
    const now = Date.now();
    if (head.line === this.#line && head.state === 'open' && now - this.#toldAt < INTERVAL_MS) return;
    this.#line = head.line;
    this.#toldAt = now;
    this.#webhooks.send('journal.head', { ...head, signed });
    const file = this.#file;
    if (file === undefined) return;
    this.#written = this.#written
      .then(() => appendLine(file, signed))
      .catch((error: Error) => this.#operator.error({ file, error: error.message }, 'the witness cannot be written'));
  }

  async stop(): Promise<void> {
    await this.#written;
    await this.#webhooks.stop();
  }
}

/** A line of its own, also behind one that a full disk or a kill has cut. The file may be one that takes no other change. */
async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+', 0o600);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const isCut = bytesRead === 1 && buffer[0] !== LINE_FEED;
    await file.appendFile(`${isCut ? '\n' : ''}${line}\n`);
  } finally {
    await file.close();
  }
}

const LINE_FEED = 0x0a;
