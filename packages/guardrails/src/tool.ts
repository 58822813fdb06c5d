/**
 * What conditions can ask about a call of a tool. Owns: the attribute `tool`, and the functions of its arguments. Does not: read a call, which
 * whoever has it does.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { BodyUnreadable } from '@sluice/http-requests';

/** A call as rules see it. */
export interface SeenTool {
  /** The connection whose server has it; empty where a model proposes a call and nobody knows whose tool it is. */
  readonly server: string;
  readonly name: string;
  /** What a JSON pointer into its arguments leads to, as texts. @throws BodyUnread, BodyUnreadable, TypeError */
  argument(pointer: string): readonly string[];
}

/** As the library of CEL wants it: of a type with a name. */
class ToolCall {
  readonly #seen: SeenTool | undefined;

  constructor(seen: SeenTool | undefined) {
    this.#seen = seen;
  }

  get server(): string {
    return this.#seen?.server ?? '';
  }

  get name(): string {
    return this.#seen?.name ?? '';
  }

  all(pointer: string): readonly string[] {
    return this.#seen?.argument(pointer) ?? [];
  }

  one(pointer: string): string {
    const values = this.all(pointer);
    if (values.length > 1)
      throw new BodyUnreadable(`The rules read one argument of this call, and it has ${values.length} of them.`);
    return values[0] ?? '';
  }
}

export const toolAttribute = (seen: SeenTool | undefined): object => new ToolCall(seen);

export const registerTool = (environment: Environment): Environment =>
  environment
    .registerType('ToolCall', { ctor: ToolCall, fields: { server: 'string', name: 'string' } })
    .registerFunction('ToolCall.argument(string): string', (tool: ToolCall, pointer: string) => tool.one(pointer))
    .registerFunction('ToolCall.arguments(string): list<string>', (tool: ToolCall, pointer: string) => [
      ...tool.all(pointer),
    ])
    .registerVariable('tool', 'ToolCall');
