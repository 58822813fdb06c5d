/**
 * Tasks: calls that a server goes on with by itself, whose results are fetched by other requests (MCP 2025-11-25, Tasks). Owns: whose each is, and
 * what is masked of its result. Does not: read messages.
 */
import type { AppliedMask } from '@sluice/contract';
import { type JsonObject, objectIn, textIn } from '@sluice/mcp';
import type { AnswerTerms } from './terms.js';

/** Of one principal at one server: the oldest are forgotten, and with them their results. */
const MAX_TASKS = 1000;
/** Of what was asked for in all of them. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

export interface McpTask {
  /** Of the call, in what is answered to whoever asks for its result. */
  readonly masks: readonly AppliedMask[];
  /** What else holds for that. */
  readonly terms?: AnswerTerms | undefined;
}

export class McpTasks {
  /** By connection and principal, and by id. */
  readonly #tasks = new Map<string, Map<string, McpTask>>();

  note(connection: string, principal: string, id: string, { masks, terms }: McpTask): void {
    const key = JSON.stringify([connection, principal]);
    const own = this.#tasks.get(key) ?? new Map<string, McpTask>();
    this.#tasks.set(key, own);
    own.delete(id);
    own.set(id, { masks: masks.map(ofAnswers), terms });
    let characters = 0;
    for (const one of own.values()) characters += sizeOf(one);
    for (const [oldest, one] of own) {
      if (own.size <= MAX_TASKS && characters <= MAX_CHARACTERS) return;
      own.delete(oldest);
      characters -= sizeOf(one);
    }
  }

  /** Undefined: there is none of this principal. */
  find(connection: string, principal: string, id: string): McpTask | undefined {
    return this.#of(connection, principal)?.get(id);
  }

  /** Of all tasks of somebody. */
  masks(connection: string, principal: string): readonly AppliedMask[] {
    const all = [...(this.#of(connection, principal)?.values() ?? [])].flatMap(({ masks }) => masks);
    return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
  }

  #of(connection: string, principal: string): ReadonlyMap<string, McpTask> | undefined {
    return this.#tasks.get(JSON.stringify([connection, principal]));
  }
}

const sizeOf = ({ terms }: McpTask): number => terms?.asked?.text.length ?? 0;

/** What the call has sent is sent already. */
function ofAnswers(mask: AppliedMask): AppliedMask {
  const { request: _, ...rest } = mask;
  return rest;
}

/** Methods about one task, which they name. */
const ABOUT_ONE: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel']);
export const isAboutTask = (method: string): boolean => ABOUT_ONE.has(method);
export const LIST_TASKS = 'tasks/list';

/** The id of the task that a call has become, by its result. In 2026-07-28 it stands there by itself. */
export const taskIn = ({ members }: JsonObject): string | undefined =>
  textIn(objectIn(members, 'task')?.members ?? members, 'taskId');
