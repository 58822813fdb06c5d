/** What somebody may reach, their tokens and their requests. Owns: the order on the page. Does not: dialogs (connect.tsx, tokens.tsx). */
import { Alert, Button, Group, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import type { ConnectionRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { mayDecide, mayReview } from '../data/deciding.js';
import { connectionsQuery, pendingQuery, recentQuery, reviewsQuery, whoAmI } from '../data/queries.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import { Connect } from './connect.js';
import { Tokens } from './tokens.js';

/** Open reviews that are named here. */
const MAX_REVIEWS = 5;

export function Home(): ReactNode {
  const { data: who } = useQuery(whoAmI);
  if (!who) return null;
  return (
    <Stack gap="xl">
      <WaitForYou who={who} />
      <OpenReviews who={who} />
      <section>
        <PageTitle>Your connections</PageTitle>
        <Connections who={who} />
      </section>
      <section>
        <Title order={2} size="h4" mb="sm">
          Your requests
        </Title>
        <Requests who={who} />
      </section>
      <section>
        <Tokens who={who} />
      </section>
    </Stack>
  );
}

function Connections({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: rows, error, refetch } = useQuery(connectionsQuery);
  const [open, setOpen] = useState<ConnectionRow>();
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!rows) return <Waiting what="Asking for your connections ..." />;
  if (rows.length === 0)
    return (
      <Empty title="There is no connection for you">
        {who.roles.includes('user')
          ? `An administrator adds you, as ${[`user:${who.name}`, ...who.groups.map((one) => `group:${one}`)].join(' or ')}, to "access" of a connection.`
          : 'You may not open sessions: an administrator gives you the role "user".'}
      </Empty>
    );
  return (
    <>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} component="ul" className="bare">
        {rows.map((row) => (
          <Paper key={row.name} component="li" withBorder p="md">
            <Group justify="space-between" wrap="nowrap">
              <div>
                <Text fw={600}>{row.name}</Text>
                <Text size="sm" c="dimmed">
                  {printableLine(row.protocol)}, {row.listener}
                  {row.tls === true && ', TLS'}
                </Text>
              </div>
              <Button onClick={() => setOpen(row)} aria-label={`Connect to ${row.name}`}>
                Connect
              </Button>
            </Group>
          </Paper>
        ))}
      </SimpleGrid>
      {open && <Connect key={open.name} row={open} close={() => setOpen(undefined)} />}
    </>
  );
}

/** Whoever decides comes here first, too. */
function WaitForYou({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: rows = [] } = useQuery(pendingQuery);
  const count = rows.filter((row) => mayDecide(row, who)).length;
  if (count === 0) return null;
  return (
    <Alert
      variant="outline"
      role="status"
      title={count === 1 ? 'A request waits for you' : `${count} requests wait for you`}
    >
      <Link to="/approvals" search={{}}>
        See what is asked
      </Link>
    </Alert>
  );
}

/** What passed by break-glass and nobody else has looked at: one's own, and what one may close. */
function OpenReviews({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: rows = [] } = useQuery(reviewsQuery);
  if (rows.length === 0) return null;
  return (
    <Alert
      variant="outline"
      color="yellow"
      role="status"
      title={rows.length === 1 ? 'A review is open' : `${rows.length} reviews are open`}
    >
      <ul className="plain">
        {rows.slice(0, MAX_REVIEWS).map((row) => (
          <li key={row.number}>
            <Link to="/approvals/$number" params={{ number: String(row.number) }} search={{ show: 'reviews' }}>
              Request {row.number}
            </Link>
            : {printableLine(row.principal)} on {row.connection} passed it by break-glass
            {mayReview(row, who) ? ', and you may close its review.' : '. Somebody else closes its review.'}
          </li>
        ))}
      </ul>
      {rows.length > MAX_REVIEWS && `... and ${rows.length - MAX_REVIEWS} more, under Approvals.`}
    </Alert>
  );
}

/** Requests of one's own, the newest first. */
function Requests({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: rows, error, refetch } = useQuery(recentQuery);
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!rows) return <Waiting what="Asking for your requests ..." />;
  const mine = rows.filter((row) => row.principal === who.name).slice(0, 5);
  if (mine.length === 0)
    return (
      <Empty title="You have asked for nothing">
        When a rule holds what you send, you see here what becomes of it.
      </Empty>
    );
  return (
    <ul className="plain">
      {mine.map((row) => (
        <li key={row.number}>
          <Link className="row" to="/approvals/$number" params={{ number: String(row.number) }}>
            <Group justify="space-between" gap="xs">
              <Text fw={600}>
                {row.number} · {row.connection}
              </Text>
              <State of={row.state} />
            </Group>
            <div className="one-line">{printableLine(row.text.slice(0, 300))}</div>
            <Text size="sm" c="dimmed">
              <When at={row.created} />
            </Text>
          </Link>
        </li>
      ))}
    </ul>
  );
}
