/**
 * One request to a server of MCP that may pass, and what its answer may be. Owns: what of it is under way. Does not: judge, or edit the answer
 * (answers.ts).
 */
import type { AppliedMask, HttpCommand } from '@sluice/contract';
import { jsonOf } from '@sluice/http-requests';
import { type Message, textIn } from '@sluice/mcp';
import { nameOf } from './facts.js';
import type { ReadRequest } from './reading.js';
import type { Asked, McpSession } from './sessions.js';
import { type AnswerTerms, kept } from './terms.js';

export class McpExchange {
  readonly command: HttpCommand;
  readonly read: ReadRequest;
  /** In the transport of old it is known when the stream says so. */
  session: McpSession;
  /** What it asks, by ids as JSON. */
  readonly #expected: Map<string, Asked>;
  /** What is masked of its answers. */
  masks: readonly AppliedMask[] = [];
  /** Those that have been answered. */
  readonly answered = new Set<string>();

  constructor(command: HttpCommand, read: ReadRequest) {
    this.command = command;
    this.read = read;
    this.session = read.session;
    const asked = messagesOf(read).flatMap((message) =>
      message.type === 'request' ? [[jsonOf(message.id), askedBy(message)] as const] : [],
    );
    this.#expected = new Map(asked);
  }

  get expected(): ReadonlyMap<string, Asked> {
    return this.#expected;
  }

  /** It was judged: so its answer may be. */
  judged(message: Message, terms: AnswerTerms): void {
    const key = message.type === 'request' ? jsonOf(message.id) : '';
    const asked = this.#expected.get(key);
    if (asked) this.#expected.set(key, { ...asked, terms });
  }

  /** It goes on: from now on its answers are expected. */
  begin(): void {
    const { session, read } = this;
    // Without a session each client counts its ids for itself.
    if (read.sessionId !== '' || session.endpoint !== undefined)
      for (const [key, asked] of this.expected)
        session.asked(key, { ...asked, masks: this.masks, terms: kept(asked.terms) });
    for (const message of messagesOf(this.read))
      if ((message.type === 'result' || message.type === 'error') && message.id) session.takeAsk(jsonOf(message.id));
  }

  /** What an answer of the server is about. Undefined: nobody has asked that, or it is answered already. */
  take(key: string): Asked | undefined {
    const { session } = this;
    const { asks } = this.read;
    const own = this.expected.get(key);
    if (!own) return asks.type === 'stream' ? session.answered(key, asks.again) : undefined;
    if (this.answered.has(key)) return undefined;
    this.answered.add(key);
    session.answered(key, true);
    return own;
  }

  get isUnanswered(): boolean {
    return this.answered.size < this.expected.size;
  }
}

export const messagesOf = ({ asks }: ReadRequest): readonly Message[] =>
  asks.type === 'messages' ? asks.messages.messages : [];

function askedBy(message: Extract<Message, { type: 'request' }>): Asked {
  const cursor = message.params && textIn(message.params.members, 'cursor');
  return { method: message.method, name: nameOf(message), isNextPage: cursor !== undefined && cursor !== '' };
}
