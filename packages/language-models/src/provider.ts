/**
 * Which requests to a provider are calls of a model. Owns: providers, their operations, and the paths of each. Does not: read bodies.
 */
import type { HttpBody } from '@sluice/contract';

export const PROVIDERS = ['openai', 'anthropic'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What is asked of a model: with whose words, and in which shape the answer comes. */
export type Operation = 'chat' | 'completions' | 'responses' | 'embeddings' | 'messages' | 'count';

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
};

/** Read as another request than it is by some servers: slashes at the end count as none, and so does case. */
const plainPath = (segments: readonly string[]): string =>
  `/${segments.filter((one) => one !== '').join('/')}`.toLowerCase();

/** What stands before the name of a model: of Azure, and of OpenAI before there were models in bodies. */
const NAMING: ReadonlySet<string> = new Set(['deployments', 'engines']);

/** Where it stands in the path, as with Azure, the model is the one of that name, whatever the body says. */
export function deploymentIn(segments: readonly string[]): string | undefined {
  const at = segments.findIndex((one) => NAMING.has(one.toLowerCase()));
  return at < 0 ? undefined : segments[at + 1];
}

/** What a request does that carries something to the provider. */
export type Call =
  | { readonly type: 'call'; readonly operation: Operation }
  /** Nothing of what it carries is read here: files, batches, threads, images, speech. */
  | { readonly type: 'unread' }
  /** It asks for something, or takes something away, and says nothing to a model. `answers`: it is given what a model has written before. */
  | { readonly type: 'plain'; readonly answers?: Operation };

export function callOf(provider: Provider, method: string, segments: readonly string[], body: HttpBody['type']): Call {
  const path = plainPath(segments);
  const known = PATHS[provider].find(([end]) => path.endsWith(end));
  if (method === 'POST' && known) return { type: 'call', operation: known[1] };
  if (body !== 'none') return { type: 'unread' };
  const [, kept] = KEPT.find(([pattern]) => provider === 'openai' && pattern.test(path)) ?? [];
  return { type: 'plain', ...(kept && { answers: kept }) };
}

/** Answers that the provider has kept. */
const KEPT: readonly (readonly [path: RegExp, operation: Operation])[] = [
  [/\/responses\/[^/]+$/, 'responses'],
  [/\/chat\/completions\/[^/]+$/, 'chat'],
];
