/** What an operator looks at: whether all is well, and what the gateway did in the last day. Owns: the order on the page. Does not: agents (agents.tsx). */
import { Alert, Button, Group, Stack, Text, Title } from '@mantine/core';
import type { Finding, Status, WhoAmI } from '@sluice/api';
import { printable, printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { send } from '../data/api.js';
import { dayQuery, statusQuery, whoAmI } from '../data/queries.js';
import { DayCurve } from '../parts/curve.js';
import { Facts } from '../parts/facts.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { State } from '../parts/state.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import { Agents } from './agents.js';

export function Operation(): ReactNode {
  const { data: who } = useQuery(whoAmI);
  if (!who) return null;
  if (!who.roles.includes('admin') && !who.roles.includes('auditor'))
    return (
      <>
        <PageTitle>Operation</PageTitle>
        <Empty title="This page is for administrators and auditors">
          What runs of your own is among{' '}
          <Link to="/sessions" search={{}}>
            your sessions
          </Link>
          .
        </Empty>
      </>
    );
  return (
    <Stack gap="xl">
      <section>
        <PageTitle>Operation</PageTitle>
        <Now />
      </section>
      <Part title="Checks">
        <Checks who={who} />
      </Part>
      <Part title="Agents">
        <Agents who={who} />
      </Part>
      <Part title="The last day">
        <LastDay />
      </Part>
    </Stack>
  );
}

const Part = ({ title, children }: { readonly title: string; readonly children: ReactNode }): ReactNode => (
  <section>
    <Title order={2} size="h4" mb="sm">
      {title}
    </Title>
    {children}
  </section>
);

function Now(): ReactNode {
  const { data, error, refetch } = useQuery(statusQuery);
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!data) return <Waiting what="Asking how the gateway is ..." />;
  return (
    <Stack gap="md">
      {troublesOf(data).map((text) => (
        <Alert key={text} color="red" variant="outline" role="alert">
          {printable(text)}
        </Alert>
      ))}
      <Facts
        of={[
          ['State', <State key="state" of={data.ready ? 'ready' : 'not ready'} />],
          ['Version', data.version],
          ['Started', <When key="started" at={data.started} />],
          ['Open sessions', data.sessions.toLocaleString('en')],
          ['Requests that wait', data.waiting.toLocaleString('en')],
          ['The oldest of them', data.oldest && <When at={data.oldest} />],
          ['Connections', data.connections.toLocaleString('en')],
          ['Data', printableLine(data.data)],
          ['Log', printableLine(data.log)],
          ...Object.entries(data.listeners).map(([name, address]) => [`Port: ${name}`, address] as const),
        ]}
      />
    </Stack>
  );
}

const troublesOf = ({ reason, configuration, record, missing }: Status): string[] => [
  ...(reason === undefined ? [] : [`No command is let through: ${reason}`]),
  ...(configuration === undefined ? [] : [configuration]),
  ...(record === undefined ? [] : [record]),
  ...missing.map((name) => `The agent "${name}" is not here, and connections go by it.`),
];

/** Those that a running gateway makes itself; what of its machine is to be looked at is for the command on that machine. */
function Checks({ who }: { readonly who: WhoAmI }): ReactNode {
  const looking = useMutation({ mutationFn: () => send<Finding[]>('POST', '/v1/doctor') });
  return (
    <Stack gap="sm" align="flex-start">
      <Text size="sm">
        Logs in at the target of every connection, as sessions would. Files, ports and certificates of the machine are
        looked at by <code>sluice doctor</code> there.
      </Text>
      {who.roles.includes('admin') ? (
        <Button variant="default" loading={looking.isPending} onClick={() => looking.mutate()}>
          Look at every target
        </Button>
      ) : (
        <Text size="sm">An administrator can have every target looked at.</Text>
      )}
      {looking.error && <Fault error={looking.error} />}
      {looking.data && (
        <ul className="plain" aria-label="What was found">
          {looking.data.map((one) => (
            <li key={`${one.check} ${one.about} ${one.says}`}>
              <Group gap="sm" align="baseline">
                <State of={one.state} />
                <Text size="sm">
                  <b>
                    {printableLine(one.check)} {printableLine(one.about)}
                  </b>
                  : {printableLine(one.says)}
                  {one.todo !== undefined && (
                    <>
                      <br />
                      {printableLine(one.todo)}
                    </>
                  )}
                </Text>
              </Group>
            </li>
          ))}
        </ul>
      )}
    </Stack>
  );
}

function LastDay(): ReactNode {
  const { data, error, refetch } = useQuery(dayQuery);
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!data) return <Waiting what="Asking for the curves ..." />;
  if (data.curves.every(({ values }) => values.length === 0))
    return <Empty title="Nothing to draw yet">There is a value a minute from the start of the gateway on.</Empty>;
  return (
    <div className="curves">
      {data.curves.map((curve) => (
        <DayCurve key={curve.name} curve={curve} every={data.every} until={data.until} />
      ))}
    </div>
  );
}
