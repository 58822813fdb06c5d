/**
 * What conditions can ask about a call of a language model. Owns: the attribute `llm`, and the functions of its texts. Does not: read a
 * call, which @sluice/language-models does.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { ModelText, type SeenMessage } from '@sluice/language-models';
import { modelAnswer } from './answer.js';
import type { PolicyContext } from './context.js';

export const MODEL_ATTRIBUTES = {
  llm: {
    operation: 'string',
    provider: 'string',
    model: 'string',
    stream: 'bool',
    continues: 'bool',
    tools: 'list<string>',
    roles: 'list<string>',
    images: 'int',
    files: 'int',
    tokens: 'int',
    text: 'ModelText',
    messages: 'list<ModelMessage>',
    answer: 'ModelAnswer',
  },
} as const;

/** A message as the library of CEL wants it: of a type with a name. */
class ModelMessage {
  readonly #seen: SeenMessage;

  constructor(seen: SeenMessage) {
    this.#seen = seen;
  }

  get role(): string {
    return this.#seen.role;
  }

  get text(): ModelText {
    return this.#seen.text;
  }

  get found(): readonly string[] {
    return this.#seen.found;
  }
}

const NO_CALL = {
  operation: '',
  provider: '',
  model: '',
  stream: false,
  continues: false,
  tools: [],
  roles: [],
  images: 0n,
  files: 0n,
  tokens: 0n,
  text: new ModelText([]),
  messages: [],
};

type Model = NonNullable<PolicyContext['model']>;

export function modelAttributes(model: Model | undefined, answer: PolicyContext['answer']): object {
  if (!model) return { ...NO_CALL, answer: modelAnswer(answer) };
  const { call, settings } = model;
  const { operation, stream, continues } = call;
  return {
    operation,
    provider: settings.provider,
    model: call.model,
    stream,
    continues,
    tools: [...call.tools],
    roles: [...call.roles],
    images: BigInt(call.images),
    files: BigInt(call.files),
    // Of these only what a rule asks about is worked out.
    get tokens(): bigint {
      return BigInt(call.tokens);
    },
    get text(): ModelText {
      return call.text;
    },
    get messages(): readonly ModelMessage[] {
      return call.messages.map((seen) => new ModelMessage(seen));
    },
    answer: modelAnswer(answer),
  };
}

/** The lists of the connection that the condition at work is about. Conditions are evaluated at once, one after the other. */
let current: Model | undefined;

/** Runs `evaluate` with the functions being about this call. */
export function aboutModel<Result>(model: Model | undefined, evaluate: () => Result): Result {
  current = model;
  try {
    return evaluate();
  } finally {
    current = undefined;
  }
}

/** `finds`: whether a pattern is in a text, in linear time; `linear`: the name that `matches` has then. */
export function registerModelFunctions(
  environment: Environment,
  linear: string,
  finds: (text: string, pattern: string) => boolean,
): Environment {
  const found = (text: ModelText, pattern: string): boolean => text.readings.some((one) => finds(one, pattern));
  return environment
    .registerType('ModelText', ModelText)
    .registerType('ModelMessage', {
      ctor: ModelMessage,
      fields: { role: 'string', text: 'ModelText', found: 'list<string>' },
    })
    .registerFunction(`ModelText.${linear}(string): bool`, found)
    .registerFunction('ModelText.matches(string): bool', found)
    .registerFunction('ModelText.listed(string): bool', (text: ModelText, name: string) => isListed(text, name));
}

function isListed(text: ModelText, name: string): boolean {
  if (!current) return false;
  const list = current.settings.lists.get(name);
  if (!list) throw new Error(`there is no list "${name}"`);
  return text.has(list);
}
