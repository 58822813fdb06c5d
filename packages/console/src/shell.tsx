/** What is around every page: where one can go, who one is, whether what one sees is live. Owns: that nobody sees a page who is not logged in. */
import {
  ActionIcon,
  Alert,
  AppShell,
  Badge,
  Button,
  Group,
  Menu,
  Stack,
  Text,
  Title,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import type { WhoAmI } from '@sluice/api';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef } from 'react';
import { send } from './data/api.js';
import { mayDecide, mayReview } from './data/deciding.js';
import { type Liveness, useEvents } from './data/live.js';
import { issuersQuery, pendingQuery, queries, reviewsQuery, whoAmI } from './data/queries.js';
import { Fault, Waiting } from './parts/states.js';

export function Shell(): ReactNode {
  const { data: who, error, refetch } = useQuery(whoAmI);
  const live = useEvents(Boolean(who));
  // What is on the screen stays there while the gateway is away.
  if (who) return <Frame who={who} live={live} />;
  return (
    <Stack component="main" maw="28rem" mx="auto" px="md" py="4rem">
      {who === undefined &&
        (error ? <Fault error={error} again={() => void refetch()} /> : <Waiting what="Looking who you are ..." />)}
      {who === null && <LogIn />}
    </Stack>
  );
}

function LogIn(): ReactNode {
  const { data: issuers, error, refetch } = useQuery(issuersQuery);
  const to = useRouterState({ select: ({ location }) => location.href });
  const sealed = new URLSearchParams(location.search).get('failed');
  const { data: failure } = useQuery({
    queryKey: ['failure', sealed],
    enabled: sealed !== null,
    retry: false,
    queryFn: async ({ signal }): Promise<string> => {
      const answer = await fetch(`/auth/failure?failed=${encodeURIComponent(sealed ?? '')}`, { signal });
      return answer.ok ? ((await answer.json()) as { why: string }).why : '';
    },
  });
  // Only what is an issuer of ours: whoever sends somebody an address has our page say nothing.
  const still = issuers?.find((name) => name === new URLSearchParams(location.search).get('still'));
  const wanted = sealed === null && still === undefined ? to : '/';
  return (
    <Stack gap="lg">
      <div>
        <Title order={1}>Sluice</Title>
        <Text c="dimmed">Log in to approve, to watch and to connect.</Text>
      </div>
      {failure !== undefined && failure !== '' && (
        <Alert color="red" variant="outline" role="alert" title="You are not logged in">
          {failure}
        </Alert>
      )}
      {still !== undefined && (
        <Alert color="yellow" variant="outline" role="status" title="You are logged out here">
          At {still} this browser may be logged in still: log out there, too, where others use it.
        </Alert>
      )}
      {error && <Fault error={error} again={() => void refetch()} />}
      {issuers?.length === 0 && (
        <Text>No identity provider is configured that people can log in at. An administrator adds one.</Text>
      )}
      {issuers?.map((name) => (
        <Button
          key={name}
          size="md"
          component="a"
          href={`/auth/login?issuer=${encodeURIComponent(name)}&to=${encodeURIComponent(wanted)}`}
        >
          Log in with {name}
        </Button>
      ))}
    </Stack>
  );
}

const NAMES: Readonly<Record<Liveness, string>> = {
  opening: 'Connecting ...',
  live: 'Live',
  broken: 'The gateway is away. This page goes on by itself.',
};

function Frame({ who, live }: { readonly who: WhoAmI; readonly live: Liveness }): ReactNode {
  const { data: pending = [] } = useQuery(pendingQuery);
  const { data: reviews = [] } = useQuery(reviewsQuery);
  const mine = [...pending.filter((row) => mayDecide(row, who)), ...reviews.filter((row) => mayReview(row, who))];
  const oversees = who.roles.includes('admin') || who.roles.includes('auditor');
  // The document of a terminal may do what no other one may: it is left with its page.
  const leaves = useRouterState({ select: ({ location: { pathname } }) => pathname.endsWith('/terminal') });
  useTitle(mine.length);
  useNotifications(mine.map(({ number }) => number));
  return (
    <AppShell header={{ height: { base: 104, sm: 56 } }} padding="md">
      <AppShell.Header>
        <Group className="bar" h="100%" px="md" gap="xs" justify="space-between" wrap="wrap">
          <Text fw={700} size="lg">
            Sluice
          </Text>
          <nav className="nav" aria-label="Pages">
            <Link to="/approvals" reloadDocument={leaves}>
              Approvals {mine.length > 0 && <Count of={mine.length} />}
            </Link>
            <Link to="/sessions" search={{}} reloadDocument={leaves}>
              Sessions
            </Link>
            <Link to="/" activeOptions={{ exact: true }} reloadDocument={leaves}>
              Connections
            </Link>
            <Link to="/policy" reloadDocument={leaves}>
              Policy
            </Link>
            {oversees && (
              <Link to="/people" reloadDocument={leaves}>
                People
              </Link>
            )}
            {oversees && (
              <Link to="/operation" reloadDocument={leaves}>
                Operation
              </Link>
            )}
          </nav>
          <Group gap="xs">
            <span
              className="dot"
              data-kind={live === 'live' ? 'good' : 'wait'}
              role="img"
              aria-label={NAMES[live]}
              title={NAMES[live]}
            />
            <Scheme />
            <Me who={who} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main>
        {live === 'broken' && (
          <Alert color="yellow" variant="outline" mb="md" role="status" title={NAMES.broken}>
            What you see is from before it went.
          </Alert>
        )}
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

const Count = ({ of }: { readonly of: number }): ReactNode => (
  <Badge size="sm" circle={of < 10} aria-label={`${of} wait for you`}>
    {of}
  </Badge>
);

function Scheme(): ReactNode {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={dark ? 'Light colours' : 'Dark colours'}
      onClick={() => setColorScheme(dark ? 'light' : 'dark')}
    >
      <span aria-hidden>{dark ? '☀' : '☾'}</span>
    </ActionIcon>
  );
}

function Me({ who }: { readonly who: WhoAmI }): ReactNode {
  const out = async (): Promise<void> => {
    const nothing: { readonly at?: string; readonly still?: string } = {};
    const { at, still } = await send<typeof nothing>('POST', '/auth/logout').catch(() => nothing);
    queries.clear();
    // To the issuer, where the browser is logged in still; and back to us from there. Where it cannot be asked, the page says so.
    location.assign(at ?? (still === undefined ? '/' : `/?still=${encodeURIComponent(still)}`));
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button variant="default" size="sm" maw="12rem">
          {who.name}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Text size="sm" px="sm" py={4} maw="16rem">
          {who.roles.length > 0 ? `You are ${who.roles.join(', ')}.` : 'You have no role here.'}
          {who.groups.length > 0 && ` Groups: ${who.groups.join(', ')}.`}
        </Text>
        {'Notification' in globalThis && Notification.permission === 'default' && (
          <Menu.Item onClick={() => void Notification.requestPermission()}>Notify me of requests</Menu.Item>
        )}
        <Menu.Item component={Link} to="/grants">
          Grants
        </Menu.Item>
        <Menu.Item component={Link} to="/keys">
          Your security keys
        </Menu.Item>
        <Menu.Item onClick={() => void out()}>Log out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** How many wait is seen from another tab as well. */
function useTitle(count: number): void {
  const page = useRouterState({ select: ({ location: { pathname } }) => pathname.split('/')[1] ?? '' });
  useEffect(() => {
    const name = page === '' ? 'Connections' : `${page[0]?.toUpperCase()}${page.slice(1)}`;
    document.title = `${count > 0 ? `(${count}) ` : ''}${name} · Sluice`;
  }, [count, page]);
}

/** Tells of requests that are new while nobody looks at the page, where that was allowed. */
function useNotifications(numbers: readonly number[]): void {
  const known = useRef<ReadonlySet<number> | undefined>(undefined);
  useEffect(() => {
    const fresh = known.current === undefined ? [] : numbers.filter((one) => !known.current?.has(one));
    known.current = new Set(numbers);
    if (fresh.length === 0 || !document.hidden || !('Notification' in globalThis)) return;
    if (Notification.permission !== 'granted') return;
    // No word of the statement: a notification is shown on locked screens.
    const note = new Notification('Sluice', { body: `Request ${fresh.join(', ')} waits for you.`, tag: 'approvals' });
    note.addEventListener('click', () => window.focus());
  }, [numbers]);
}
