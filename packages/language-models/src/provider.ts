/**
 * Which requests to a provider are calls of a model. Owns: providers, their operations, and the paths of each. Does not: read bodies.
 */
import type { HttpBody } from '@sluice/contract';

export const PROVIDERS = ['openai', 'anthropic', 'gemini'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What is asked of a model: with whose words, and in which shape the answer comes. */
export type Operation = 'chat' | 'completions' | 'responses' | 'embeddings' | 'messages' | 'contents' | 'count';

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
  gemini: new Set(['models', 'tunedmodels', 'endpoints']),
};

/** Where it stands in the path, the model is the one of that name, whatever the body says. */
function modelIn(provider: Provider, segments: readonly string[]): string | undefined {
  const at = segments.findIndex((one) => NAMING[provider].has(one.toLowerCase()));
  const named = at < 0 ? undefined : segments[at + 1];
  return provider === 'gemini' ? named?.replace(/:[^:]*$/, '') : named;
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
  /** Nothing of what it carries is read here: files, batches, threads, images, speech. */
  | { readonly type: 'unread' }
  /** It asks for something, or takes something away, and says nothing to a model. `answers`: it is given what a model has written before. */
  | { readonly type: 'plain'; readonly answers?: Operation };

export function callOf(provider: Provider, method: string, segments: readonly string[], body: HttpBody['type']): Call {
  const path = plainPath(segments);
  const known = PATHS[provider].find(([end]) => path.endsWith(end));
  if (method === 'POST' && known) {
    const stream = provider === 'gemini' ? known[0] === STREAMING : undefined;
    return { type: 'call', operation: known[1], model: modelIn(provider, segments), stream };
  }
  if (body !== 'none') return { type: 'unread' };
  const [, kept] = KEPT.find(([pattern]) => provider === 'openai' && pattern.test(path)) ?? [];
  return { type: 'plain', ...(kept && { answers: kept }) };
}

/** Answers that the provider has kept. */
const KEPT: readonly (readonly [path: RegExp, operation: Operation])[] = [
  [/\/responses\/[^/]+$/, 'responses'],
  [/\/chat\/completions\/[^/]+$/, 'chat'],
];
