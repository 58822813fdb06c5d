/** Which page is at which address. Owns: addresses, and that each page is loaded when it is wanted. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Nowhere, Trouble } from './parts/states.js';
import { Shell } from './shell.js';

const root = createRootRoute({ component: Shell, notFoundComponent: Nowhere, errorComponent: Trouble });
const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/home.js'), 'Home'),
});
/** Which requests are listed: those that wait, unless it says otherwise. */
export type RequestSearch = { readonly show?: 'reviews' | 'recent' };
const requestSearch = ({ show }: Record<string, unknown>): RequestSearch =>
  show === 'reviews' || show === 'recent' ? { show } : {};

const approvals = createRoute({
  getParentRoute: () => root,
  path: '/approvals',
  validateSearch: requestSearch,
  component: lazyRouteComponent(() => import('./pages/approvals.js'), 'Approvals'),
});
const approval = createRoute({
  getParentRoute: () => root,
  path: '/approvals/$number',
  validateSearch: requestSearch,
  component: lazyRouteComponent(() => import('./pages/approvals.js'), 'Approvals'),
});

/** What of an address is a text that somebody wrote; numbers are written as texts, too. */
const textsIn = <K extends string>(search: Record<string, unknown>, names: readonly K[]): Partial<Record<K, string>> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = search[name];
      const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
      return text === '' ? [] : [[name, text]];
    }),
  ) as Partial<Record<K, string>>;

const DECISIONS = ['allow', 'deny', 'hold'] as const;
export type Decision = (typeof DECISIONS)[number];
const decisionIn = ({ decision }: Record<string, unknown>): { decision?: Decision } => {
  const known = DECISIONS.find((one) => one === decision);
  return known ? { decision: known } : {};
};

/** What sessions are looked for, as it stands in the address. */
export type SessionSearch = { readonly state?: 'open' } & Partial<Record<'principal' | 'connection' | 'claim', string>>;
const sessions = createRoute({
  getParentRoute: () => root,
  path: '/sessions',
  validateSearch: (search: Record<string, unknown>): SessionSearch => ({
    ...(search['state'] === 'open' && { state: 'open' as const }),
    ...textsIn(search, ['principal', 'connection', 'claim']),
  }),
  component: lazyRouteComponent(() => import('./pages/sessions.js'), 'Sessions'),
});

/** What of a session is looked for. `from`: the number of a command. */
export type EntrySearch = { readonly decision?: Decision } & Partial<Record<'from' | 'text', string>>;
const session = createRoute({
  getParentRoute: () => root,
  path: '/sessions/$id',
  validateSearch: (search: Record<string, unknown>): EntrySearch => ({
    ...decisionIn(search),
    ...textsIn(search, ['from', 'text']),
  }),
  component: lazyRouteComponent(() => import('./pages/session.js'), 'SessionPage'),
});
const terminal = createRoute({
  getParentRoute: () => root,
  path: '/sessions/$id/terminal',
  validateSearch: (search: Record<string, unknown>): { command?: string } => textsIn(search, ['command']),
  component: lazyRouteComponent(() => import('./pages/terminal.js'), 'TerminalPage'),
});

const letIn = createRoute({
  getParentRoute: () => root,
  path: '/terminal',
  component: lazyRouteComponent(() => import('./pages/let-in.js'), 'LetIn'),
});
const confirm = createRoute({
  getParentRoute: () => root,
  path: '/login/$code',
  component: lazyRouteComponent(() => import('./pages/confirm.js'), 'ConfirmLogin'),
});

const keys = createRoute({
  getParentRoute: () => root,
  path: '/keys',
  component: lazyRouteComponent(() => import('./pages/keys.js'), 'Keys'),
});

const grants = createRoute({
  getParentRoute: () => root,
  path: '/grants',
  component: lazyRouteComponent(() => import('./pages/grants.js'), 'Grants'),
});
const giveGrant = createRoute({
  getParentRoute: () => root,
  path: '/grants/$connection',
  component: lazyRouteComponent(() => import('./pages/grants.js'), 'GiveGrant'),
});
const grantGiven = createRoute({
  getParentRoute: () => root,
  path: '/grants/back',
  component: lazyRouteComponent(() => import('./pages/grants.js'), 'GrantGiven'),
});

/** Which commands are looked for, over all sessions. Times are ISO 8601. */
export type CommandSearch = { readonly decision?: Decision } & Partial<
  Record<'text' | 'principal' | 'connection' | 'since' | 'until', string>
>;
const commands = createRoute({
  getParentRoute: () => root,
  path: '/commands',
  validateSearch: (search: Record<string, unknown>): CommandSearch => ({
    ...decisionIn(search),
    ...textsIn(search, ['text', 'principal', 'connection', 'since', 'until']),
  }),
  component: lazyRouteComponent(() => import('./pages/commands.js'), 'Commands'),
});
const policy = createRoute({
  getParentRoute: () => root,
  path: '/policy',
  component: lazyRouteComponent(() => import('./pages/policy.js'), 'Policy'),
});
const people = createRoute({
  getParentRoute: () => root,
  path: '/people',
  component: lazyRouteComponent(() => import('./pages/people.js'), 'People'),
});
const operation = createRoute({
  getParentRoute: () => root,
  path: '/operation',
  component: lazyRouteComponent(() => import('./pages/operation.js'), 'Operation'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    approvals,
    approval,
    sessions,
    session,
    terminal,
    commands,
    policy,
    people,
    operation,
    letIn,
    confirm,
    keys,
    grants,
    giveGrant,
    grantGiven,
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: Trouble,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
