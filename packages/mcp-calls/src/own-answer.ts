/** Calls whose client comes back from where its request waits. Owns: that such a call is the one of before. Does not: ask (protocols/http). */
import type { HttpCommand } from '@sluice/contract';
import { withoutOwnInput } from '@sluice/mcp';

/** A command is judged again when people have released it, and has to be the same one then. */
const known = new WeakMap<HttpCommand, HttpCommand>();

/** The command without what its client answers to the gateway; itself where there is nothing of the kind. */
export function withoutOwnAnswer(came: HttpCommand): HttpCommand {
  const { body } = came;
  const bytes = body.type === 'whole' ? withoutOwnInput(body.bytes) : undefined;
  if (!bytes || body.type !== 'whole') return came;
  const plain = known.get(came) ?? { ...came, body: { ...body, bytes } };
  known.set(came, plain);
  return plain;
}
