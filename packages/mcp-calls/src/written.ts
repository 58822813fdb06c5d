/**
 * Messages of MCP that somebody has written down: for an explanation, or a case of a test. Owns: what is left out there. Does not: judge.
 */
import type { Facts } from '@sluice/contract';
import type { PolicyContext } from '@sluice/guardrails';
import { foundIn } from '@sluice/http-bodies';
import { Body, type RequestRead } from '@sluice/http-requests';
import { type Message, MessageError, type Tool, messagesIn } from '@sluice/mcp';
import { isCall, knownAnswer, knownCall, knownMessage, nameOf } from './facts.js';
import type { McpParts } from './state.js';

export interface SeenMcp extends Pick<PolicyContext, 'request' | 'found' | 'tool'> {
  readonly facts: Facts;
  readonly text: string;
}

/** The first message of a body, by what is known of its tool. `owner`: whose analysis it is. */
export async function seenMcp(
  { request, body, text }: RequestRead,
  parts: Pick<McpParts, 'settings' | 'languages'>,
  server: string,
  owner: string,
  toolNamed: (name: string) => Tool | undefined,
): Promise<SeenMcp> {
  const found = (): readonly string[] => foundIn(body, request.query);
  const unread = (why: string): SeenMcp => {
    const forbidden = `This request to a server of MCP ${why}.`;
    return { facts: { actions: [], confidence: 'opaque', statements: [], forbidden }, text, request, found };
  };
  try {
    const { read } = new Body(body);
    if (read.type !== 'json') return unread(read.type === 'unreadable' ? read.why : 'has no message');
    const [message] = messagesIn(read.value).messages;
    const known = message && knownOf(message);
    if (!known) return unread('has no message');
    if ('rule' in known) return { ...unread(''), facts: { ...NOTHING, forbidden: known.message } };
    return { facts: await known.facts, text: known.text, request, found, ...(known.tool && { tool: known.tool }) };
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    return unread(error.message);
  }

  function knownOf(message: Message): ReturnType<typeof knownCall> {
    if (message.type === 'result' || message.type === 'error')
      return knownAnswer('sampling/createMessage', message.json);
    if (!isCall(message)) return knownMessage(message, server);
    return knownCall(message, server, toolNamed(nameOf(message) ?? ''), parts, owner);
  }
}

const NOTHING: Facts = { actions: [], confidence: 'opaque', statements: [] };
