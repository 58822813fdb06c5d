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
const approvals = createRoute({
  getParentRoute: () => root,
  path: '/approvals',
  component: lazyRouteComponent(() => import('./pages/approvals.js'), 'Approvals'),
});
const approval = createRoute({
  getParentRoute: () => root,
  path: '/approvals/$number',
  component: lazyRouteComponent(() => import('./pages/approvals.js'), 'Approvals'),
});
const sessions = createRoute({
  getParentRoute: () => root,
  path: '/sessions',
  validateSearch: (search: Record<string, unknown>): SessionSearch => ({
    ...(search['state'] === 'open' && { state: 'open' as const }),
    ...(typeof search['principal'] === 'string' && search['principal'] !== '' && { principal: search['principal'] }),
    ...(typeof search['connection'] === 'string' &&
      search['connection'] !== '' && { connection: search['connection'] }),
  }),
  component: lazyRouteComponent(() => import('./pages/sessions.js'), 'Sessions'),
});
const session = createRoute({
  getParentRoute: () => root,
  path: '/sessions/$id',
  component: lazyRouteComponent(() => import('./pages/session.js'), 'SessionPage'),
});

const terminal = createRoute({
  getParentRoute: () => root,
  path: '/terminal',
  component: lazyRouteComponent(() => import('./pages/terminal.js'), 'Terminal'),
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

/** What sessions are looked for, as it stands in the address. */
export interface SessionSearch {
  readonly state?: 'open';
  readonly principal?: string;
  readonly connection?: string;
}

export const router = createRouter({
  routeTree: root.addChildren([home, approvals, approval, sessions, session, terminal, confirm, keys]),
  defaultPreload: 'intent',
  defaultErrorComponent: Trouble,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
