/**
 * Which requests to a provider are calls of a model. Owns: providers, their operations, and the paths of each. Does not: read bodies.
 */
import type { HttpBody } from '@sluice/contract';

export const PROVIDERS = ['openai', 'anthropic', 'gemini'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What is asked of a model: with whose words, and in which shape the answer comes. */
export type Operation = 'chat' | 'completions' | 'responses' | 'embeddings' | 'messages' | 'contents' | 'count';

/** What an answer is of: `lines` of a file that the provider keeps, or a `batch`, which says what became of one. */
export type AnswerKind = Operation | 'lines' | 'batch';

/** Of Gemini, whose requests do not say that they stream. */
const STREAMING = ':streamgeneratecontent';

/** The ends of paths, lower case. What stands before them differs: `/v1`, `/openai/deployments/NAME`, nothing. */
const PATHS: Readonly<Record<Provider, readonly (readonly [path: string, operation: Operation])[]>> = {
  openai: [
    ['/chat/completions', 'chat'],
    ['/completions', 'completions'],
    ['/responses/input_tokens', 'count'],
    ['/responses', 'responses'],
    ['/embeddings', 'embeddings'],
  ],
  anthropic: [
    ['/messages/count_tokens', 'count'],
    ['/messages', 'messages'],
  ],
  gemini: [
    [':generatecontent', 'contents'],
    [STREAMING, 'contents'],
    [':embedcontent', 'embeddings'],
    [':batchembedcontents', 'embeddings'],
    [':counttokens', 'count'],
  ],
};

/** Read as another request than it is by some servers: slashes at the end count as none, and so does case. */
const plainPath = (segments: readonly string[]): string =>
  `/${segments.filter((one) => one !== '').join('/')}`.toLowerCase();

/** What stands before the name of a model: of Azure, of OpenAI before there were models in bodies, and of Gemini. */
const NAMING: Readonly<Record<Provider, ReadonlySet<string>>> = {
  openai: new Set(['deployments', 'engines']),
  anthropic: new Set(),
  gemini: new Set(['models', 'tunedmodels', 'dynamic', 'endpoints']),
};

/** Where it stands in the path, the model is the one of that name, whatever the body says. What stands before it may have such a name too. */
function modelIn(provider: Provider, all: readonly string[]): string | undefined {
  const segments = all.filter((one) => one !== '');
  const isNaming = (one: string): boolean => NAMING[provider].has(one.toLowerCase());
  if (provider !== 'gemini') return segments.find((_, at) => isNaming(segments[at - 1] ?? ''));
  const named = isNaming(segments.at(-2) ?? '') ? segments.at(-1) : undefined;
  return named?.replace(/:[^:]*$/, '');
}

/** What a request does that carries something to the provider. */
export type Call =
  | {
      readonly type: 'call';
      readonly operation: Operation;
      /** What the path says of it, which counts more than the body. */
      readonly model: string | undefined;
      readonly stream: boolean | undefined;
    }
  /** It has a file kept by the provider, or has calls made of one later. */
  | { readonly type: 'file' | 'batch' }
  /**
   * Nothing of what it carries is read here (uploads in pieces, threads, images, speech), or it asks for something, or takes something away, and says
   * nothing to a model. `answers`: it is given what a model has written before.
   */
  | { readonly type: 'unread' | 'plain'; readonly answers?: AnswerKind };

export function callOf(provider: Provider, method: string, segments: readonly string[], body: HttpBody['type']): Call {
  const path = plainPath(segments);
  const known = PATHS[provider].find(([end]) => path.endsWith(end));
  const model = modelIn(provider, segments);
  // Without a model it is of another service of Google, which has the same in an envelope.
  const isKnown = known && (provider !== 'gemini' || model !== undefined);
  if (method === 'POST' && isKnown) {
    const stream = provider === 'gemini' ? known[0] === STREAMING : undefined;
    return { type: 'call', operation: known[1], model, stream };
  }
  const added = method === 'POST' && body !== 'none' ? keptBy(provider, path) : undefined;
  if (added) return { type: added };
  // A body where none belongs is nothing to most servers: the answer is the same.
  const [, kept] = KEPT.find(([pattern]) => provider === 'openai' && pattern.test(path)) ?? [];
  return { type: body === 'none' ? 'plain' : 'unread', ...(kept && { answers: kept }) };
}

/** Answers that the provider has kept. */
const KEPT: readonly (readonly [path: RegExp, kind: AnswerKind])[] = [
  [/\/responses\/[^/]+$/, 'responses'],
  [/\/chat\/completions\/[^/]+$/, 'chat'],
  [/\/files\/[^/]+\/content$/, 'lines'],
  [/\/batches(?:\/[^/]+)?$/, 'batch'],
];

/** What the provider keeps. Whatever else has such an end is of another kind: files of a vector store, of a container. */
const keptBy = (provider: Provider, path: string): 'file' | 'batch' | undefined => {
  const [, end] = (provider === 'openai' && /^(?:.*\/(?:v\d[^/]*|openai))?\/(files|batches)$/.exec(path)) || [];
  if (end === undefined) return undefined;
  return end === 'files' ? 'file' : 'batch';
};
