/**
 * Signed messages to others about requests. Owns: signatures, attempts, and how much may wait. Does not: what is in them
 * (packages/control).
 */
import { createHmac, randomUUID } from 'node:crypto';
import { printable } from '@sluice/printable';
import type { WebhookConfig } from '@sluice/config';
import type { Logger } from 'pino';

/** How long a receiver may take, in milliseconds; how often one message is tried, and the wait before each, doubled each time. */
const DELIVERY_TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 10;
const FIRST_WAIT_MS = 1_000;
/**
 * Messages under way or waiting to be tried again, and their bytes. Beyond that the oldest is given up of what has the most: of one receiver, because
 * of one person. So nobody's requests, and no receiver that does not answer, take the place of others' messages.
 */
const MAX_WAITING_MESSAGES = 1_000;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** What waits for one receiver because of one person, the oldest first. */
interface Share {
  readonly name: string;
  readonly messages: Set<Message>;
  bytes: number;
}

interface Message {
  readonly id: string;
  readonly hook: WebhookConfig;
  /** UTF-8, the same for all receivers. */
  readonly body: Buffer<ArrayBuffer>;
  readonly share: Share;
  attempts: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Tells others about requests for approval, signed as "Standard Webhooks" has it: `webhook-id`, `webhook-timestamp` (seconds
 * since 1970) and `webhook-signature: v1,` with the base64 of HMAC-SHA256 over `id.timestamp.body`. What fails is tried again;
 * nobody waits for it, and a restart forgets it: whoever missed something reads `/v1/approvals`.
 */
export class Webhooks {
  /** Deliveries since the start. */
  readonly counted = { delivered: 0, failed: 0, givenUp: 0 };
  /** Who is told. */
  hooks: readonly WebhookConfig[];
  readonly #operator: Logger;
  readonly #messages = new Set<Message>();
  readonly #shares = new Map<string, Share>();
  #bytes = 0;
  readonly #stopped = new AbortController();
  #stopping = false;
  readonly #first: number;

  /** `first`: milliseconds before the second attempt. */
  constructor(hooks: readonly WebhookConfig[], operator: Logger, first = FIRST_WAIT_MS) {
    this.hooks = hooks;
    this.#operator = operator;
    this.#first = first;
  }

  get pending(): number {
    return this.#messages.size;
  }

  /**
   * `type` is that of the event, such as `approval.requested`. Returns at once. Receivers show what others wrote to people, so
   * characters that do not show, or turn text around, are written out in every text of `data`. `who`: because of whom; nobody's are the
   * gateway's own.
   */
  send(type: string, data: unknown, who = ''): void {
    const body = Buffer.from(JSON.stringify({ type, timestamp: new Date().toISOString(), data }, writtenOut));
    for (const hook of this.hooks) {
      const share = this.#shareOf(hook, who);
      const message: Message = { id: `msg_${randomUUID()}`, hook, body, share, attempts: 0, timer: undefined };
      this.#messages.add(message);
      this.#bytes += body.length;
      share.messages.add(message);
      share.bytes += body.length;
      while (this.#messages.size > MAX_WAITING_MESSAGES) this.#makeRoom(({ messages }) => messages.size);
      while (this.#bytes > MAX_WAITING_BYTES) this.#makeRoom(({ bytes }) => bytes);
      if (this.#messages.has(message)) void this.#attempt(message);
    }
  }

  /** Gives what is under way a moment, and the rest up. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const message of this.#messages) if (message.timer) this.#giveUp(message, 'the gateway is shutting down');
    for (let n = 0; n < 20 && this.#messages.size > 0; n++) await new Promise((resolve) => setTimeout(resolve, 50));
    this.#stopped.abort();
  }

  async #attempt(message: Message): Promise<void> {
    message.timer = undefined;
    message.attempts++;
    const problem = await this.#post(message);
    if (!this.#messages.has(message)) return;
    if (problem === undefined) {
      this.#remove(message);
      this.counted.delivered++;
      return;
    }
    this.counted.failed++;
    const { host } = new URL(message.hook.url);
    if (message.attempts >= MAX_ATTEMPTS || this.#stopping) return this.#giveUp(message, problem);
    this.#operator.warn({ host, problem, attempt: message.attempts }, 'a webhook could not be delivered');
    const wait = this.#first * 2 ** (message.attempts - 1) * (0.75 + Math.random() / 2);
    message.timer = setTimeout(() => void this.#attempt(message), wait);
    message.timer.unref();
  }

  /** What went wrong: a phrase. */
  async #post({ id, hook, body }: Message): Promise<string | undefined> {
    const timestamp = String(Math.floor(Date.now() / 1000));
    try {
      const answer = await fetch(hook.url, {
        method: 'POST',
        redirect: 'error',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'sluice',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${signature(hook.secret.reveal(), `${id}.${timestamp}.`, body)}`,
        },
        body,
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(DELIVERY_TIMEOUT_MS)]),
      });
      await answer.body?.cancel();
      return answer.ok ? undefined : `answered ${answer.status}`;
    } catch (error) {
      const { message, cause } = error as Error;
      return cause instanceof Error ? cause.message : message;
    }
  }

  #shareOf(hook: WebhookConfig, who: string): Share {
    const name = JSON.stringify([hook.url, who]);
    let share = this.#shares.get(name);
    if (!share) this.#shares.set(name, (share = { name, messages: new Set(), bytes: 0 }));
    return share;
  }

  /** Gives up the oldest of the largest share. */
  #makeRoom(size: (share: Share) => number): void {
    const [first, ...others] = this.#shares.values();
    const largest = others.reduce((most, one) => (size(one) > size(most as Share) ? one : most), first);
    for (const oldest of largest?.messages ?? []) return this.#giveUp(oldest, 'too many messages wait');
  }

  #remove(message: Message): void {
    if (!this.#messages.delete(message)) return;
    const { body, share } = message;
    this.#bytes -= body.length;
    share.bytes -= body.length;
    share.messages.delete(message);
    if (share.messages.size === 0) this.#shares.delete(share.name);
  }

  #giveUp(message: Message, problem: string): void {
    clearTimeout(message.timer);
    this.#remove(message);
    this.counted.givenUp++;
    this.#operator.error({ host: new URL(message.hook.url).host, problem, id: message.id }, 'a webhook was given up');
  }
}

/** A replacer for JSON.stringify. */
const writtenOut = (_key: string, value: unknown): unknown => (typeof value === 'string' ? printable(value) : value);

/** A secret of the form `whsec_` and base64 is those bytes; any other is its own. */
function signature(secret: string, head: string, body: Buffer): string {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
  return createHmac('sha256', key).update(head).update(body).digest('base64');
}
