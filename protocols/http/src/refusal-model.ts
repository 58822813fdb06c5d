/**
 * How providers of language models say no, so that their SDKs show the sentence. Owns: the shapes of their errors.
 * Does not: choose the status (refusal.ts), or make sentences.
 */
import type { Header, HttpApi } from '@sluice/contract';
import type { ProblemDetails } from './problem.js';

type ModelApi = Exclude<HttpApi, 'rest' | 'mcp'>;

export const isModelApi = (api: HttpApi): api is ModelApi => api !== 'rest' && api !== 'mcp';

/** Ends of paths that SDKs of a provider ask for. */
const ASKED: readonly (readonly [pattern: RegExp, api: ModelApi])[] = [
  [/\/(?:completions|responses|embeddings|models|files|batches)\/?$/i, 'openai'],
  [/\/(?:files|batches)\/[^/]+(?:\/(?:content|cancel))?\/?$/i, 'openai'],
  [/\/messages(?:\/count_tokens)?\/?$/i, 'anthropic'],
  [/:(?:streamGenerateContent|generateContent|embedContent|batchEmbedContents|countTokens)$/i, 'gemini'],
];

/**
 * In whose idiom somebody is told no who has proven nothing. By what is asked for alone: which connections there are, and what they serve, is
 * nothing for them. `target`: as sent.
 */
export function apiForStrangers(target: string): HttpApi {
  const [path = ''] = target.split('?', 1);
  return ASKED.find(([pattern]) => pattern.test(path))?.[1] ?? 'rest';
}

const OPENAI_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  429: 'rate_limit_error',
};
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
};

/** Codes of google.rpc.Status. */
const GEMINI_STATUSES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
};

const FIRST_SERVER_ERROR = 500;

/** What the error object says of it: also what the gateway's own programs look for. */
export function modelError(api: ModelApi, problem: ProblemDetails): object {
  const { status, code, message, hint, rule, request, command } = problem;
  const own = {
    ...(rule !== undefined && { rule }),
    ...(request !== undefined && { request }),
    ...(command !== undefined && { command }),
  };
  const sentence = hint === undefined ? message : `${message} ${hint}`;
  const isServers = status >= FIRST_SERVER_ERROR;
  if (api === 'openai') {
    const type = OPENAI_TYPES[status] ?? (isServers ? 'server_error' : 'invalid_request_error');
    return { error: { message: sentence, type, param: null, code, ...own } };
  }
  if (api === 'gemini') {
    const named = GEMINI_STATUSES[status] ?? (isServers ? 'INTERNAL' : 'INVALID_ARGUMENT');
    // The number is its code there; what the gateway calls it stands among the details.
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, ...own }];
    return { error: { code: status, message: sentence, status: named, details } };
  }
  const type = ANTHROPIC_TYPES[status] ?? (isServers ? 'api_error' : 'invalid_request_error');
  return { type: 'error', error: { type, message: sentence, code, ...own } };
}

/** SDKs repeat a request by its status, unless they are told: what was judged is judged alike again, but for what people may release. */
export const retryHeaders = ({ status, code }: ProblemDetails): readonly Header[] =>
  code === 'budget-used-up' || (status < FIRST_SERVER_ERROR && status !== 429 && code !== 'approval-needed')
    ? [['x-should-retry', 'false']]
    : [];

/** Such an API is told "later" by a conflict, which SDKs repeat after a while; 202 would be a success without an answer. */
export const laterFor = (api: HttpApi, problem: ProblemDetails): ProblemDetails =>
  isModelApi(api) && problem.code === 'approval-needed' ? { ...problem, status: 409, headers: [] } : problem;
