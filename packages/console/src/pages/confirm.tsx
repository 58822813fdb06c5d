/** A login by SSH that waits for somebody. Owns: that one sees whose it is before one confirms it. */
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import type { WaitingLogin } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { send } from '../data/api.js';
import { waitingLoginQuery, whoAmI } from '../data/queries.js';
import { Facts } from '../parts/facts.js';
import { Fault, Waiting } from '../parts/states.js';
import { Left } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';

export function ConfirmLogin(): ReactNode {
  const { code } = useParams({ from: '/login/$code' });
  const { data: login, error } = useQuery(waitingLoginQuery(code));
  return (
    <Stack gap="md" maw="36rem">
      <PageTitle>Confirm a login</PageTitle>
      {error && <Fault error={error} />}
      {!login && !error && <Waiting what="Looking for the login ..." />}
      {login && <Confirm code={code} login={login} />}
    </Stack>
  );
}

function Confirm({ code, login }: { readonly code: string; readonly login: WaitingLogin }): ReactNode {
  const { data: who } = useQuery(whoAmI);
  const confirming = useMutation({
    mutationFn: () => send<{ readonly principal: string }>('POST', '/v1/logins/confirm', { code }),
  });
  const { address, client, account, connection, expires } = login;
  if (confirming.data)
    return (
      <Alert
        variant="outline"
        color="green"
        role="status"
        title={`It goes on as ${printableLine(confirming.data.principal)}`}
      >
        The rest is in the terminal. You can close this page.
      </Alert>
    );
  return (
    <>
      <Text>
        Somebody logs in by SSH and was shown the code {printableLine(code)}. Confirm it only if that is you, at your
        own terminal: whoever it is acts as {printableLine(who?.name ?? 'you')} from then on.
      </Text>
      <Facts
        of={[
          ['From', printableLine(address)],
          ['Client', printableLine(client) || 'it does not say'],
          ['To', printableLine(connection) || 'chooses later'],
          ['Account', printableLine(account) || 'that of the connection'],
          ['Time', <Left key="left" until={expires} />],
        ]}
      />
      {confirming.error && <Fault error={confirming.error} />}
      <Group>
        <Button loading={confirming.isPending} onClick={() => confirming.mutate()}>
          That is me: let it in
        </Button>
      </Group>
    </>
  );
}
