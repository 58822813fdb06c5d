/** What the pages know of the gateway, by the name of each question. Owns: how long an answer is good, and that a lost login is noticed. */
import type {
  AgentRow,
  ApprovalContext,
  ApprovalRow,
  ClientSnippet,
  ConnectionRow,
  Day,
  PersonRow,
  Rules,
  SessionRow,
  Status,
  TokenRow,
  WaitingLogin,
  WhoAmI,
} from '@sluice/api';
import { QueryCache, QueryClient, queryOptions } from '@tanstack/react-query';
import { ApiError, ask } from './api.js';

export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (error instanceof ApiError && error.status === 401) queries.setQueryData(whoAmI.queryKey, null);
    },
  }),
  defaultOptions: {
    queries: {
      // What changes is told by events; what was missed is asked for when they come again.
      staleTime: 30_000,
      retry: (count, error) => error instanceof ApiError && (error.status === 0 || error.status === 503) && count < 30,
      retryDelay: (count) => Math.min(5_000, 500 * 2 ** count),
    },
  },
});

/** Null: nobody is logged in. */
export const whoAmI = queryOptions({
  queryKey: ['who'],
  queryFn: async ({ signal }): Promise<WhoAmI | null> => {
    try {
      return await ask<WhoAmI>('/v1/whoami', signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const issuersQuery = queryOptions({
  queryKey: ['issuers'],
  queryFn: async ({ signal }) => (await ask<{ readonly issuers: readonly string[] }>('/auth/issuers', signal)).issuers,
});

/** As many as the gateway gives at a time. */
export const MAX_PENDING = 200;
/** Of one who asks more, the newest: nobody fills the list alone. */
export const MAX_OF_ONE = 20;

export const pendingQuery = queryOptions({
  queryKey: ['approvals', 'pending'],
  queryFn: ({ signal }) =>
    ask<ApprovalRow[]>(`/v1/approvals?state=pending&limit=${MAX_PENDING}&each=${MAX_OF_ONE}`, signal),
});

/** What passed by break-glass and nobody else has looked at yet, that one may see. */
export const reviewsQuery = queryOptions({
  queryKey: ['approvals', 'reviews'],
  queryFn: ({ signal }) => ask<ApprovalRow[]>(`/v1/approvals?review=open&limit=${MAX_PENDING}`, signal),
});

export const recentQuery = queryOptions({
  queryKey: ['approvals', 'recent'],
  queryFn: ({ signal }) => ask<ApprovalRow[]>('/v1/approvals?limit=50', signal),
});

export const approvalQuery = (number: number) =>
  queryOptions({
    queryKey: ['approvals', 'one', number],
    queryFn: ({ signal }) => ask<ApprovalRow>(`/v1/approvals/${number}`, signal),
  });

/** What a session did before a request does not change any more; that it was read is on record, so it is asked for once. */
export const contextQuery = (number: number) =>
  queryOptions({
    queryKey: ['context', number],
    queryFn: ({ signal }) => ask<ApprovalContext>(`/v1/approvals/${number}/context`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const connectionsQuery = queryOptions({
  queryKey: ['connections'],
  queryFn: ({ signal }) => ask<ConnectionRow[]>('/v1/connections', signal),
});

export const snippetsQuery = (connection: string, token: string | undefined) =>
  queryOptions({
    queryKey: ['snippets', connection, token ?? ''],
    queryFn: ({ signal }) =>
      ask<ClientSnippet[]>(
        `/v1/connections/${encodeURIComponent(connection)}/clients${token === undefined ? '' : `?token=${encodeURIComponent(token)}`}`,
        signal,
      ),
  });

/** One's own, and those of everybody for administrators. */
export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => ask<TokenRow[]>('/v1/tokens', signal),
});

export const sessionQuery = (id: string) =>
  queryOptions({
    queryKey: ['sessions', 'one', id],
    queryFn: ({ signal }) => ask<SessionRow>(`/v1/sessions/${encodeURIComponent(id)}`, signal),
  });

/** A wrong code counts as a try: it is asked for once. */
export const waitingLoginQuery = (code: string) =>
  queryOptions({
    queryKey: ['waiting-login', code],
    queryFn: ({ signal }) => ask<WaitingLogin>(`/v1/logins/waiting/${encodeURIComponent(code)}`, signal),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });

/** All that wait of one who has asked more than the list has of each. */
export const pendingOfQuery = (principal: string) =>
  queryOptions({
    queryKey: ['approvals', 'pending of', principal],
    queryFn: ({ signal }) =>
      ask<ApprovalRow[]>(
        `/v1/approvals?state=pending&limit=${MAX_PENDING}&principal=${encodeURIComponent(principal)}`,
        signal,
      ),
  });

export const rulesQuery = queryOptions({
  queryKey: ['rules'],
  queryFn: ({ signal }) => ask<Rules>('/v1/policy/rules', signal),
  refetchInterval: 10_000,
});

export const peopleQuery = queryOptions({
  queryKey: ['people'],
  queryFn: ({ signal }) => ask<PersonRow[]>('/v1/people', signal),
});

export const agentsQuery = queryOptions({
  queryKey: ['agents'],
  queryFn: ({ signal }) => ask<AgentRow[]>('/v1/agents', signal),
  refetchInterval: 10_000,
});

export const statusQuery = queryOptions({
  queryKey: ['status'],
  queryFn: ({ signal }) => ask<Status>('/v1/status', signal),
  refetchInterval: 10_000,
});

export const dayQuery = queryOptions({
  queryKey: ['day'],
  queryFn: ({ signal }) => ask<Day>('/v1/status/day', signal),
  refetchInterval: 60_000,
});
