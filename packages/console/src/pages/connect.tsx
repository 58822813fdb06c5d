/**
 * How to connect with each client: a line to paste, with a token that is made for it. Owns: that a token is shown once, here, and is for
 * this connection alone. Does not: know any client: the gateway says what each of them takes.
 */
import { Alert, Button, Group, Stack, Tabs, Text } from '@mantine/core';
import type { ConnectionRow, MadeToken } from '@sluice/api';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { send } from '../data/api.js';
import { queries, snippetsQuery, tokensQuery } from '../data/queries.js';
import { Dialog } from '../parts/dialog.js';
import { Copy } from '../parts/copy.js';
import { Fault, Waiting } from '../parts/states.js';

/** As the gateway writes it where a token belongs. */
const PLACE = '$TOKEN';

export function Connect({ row, close }: { readonly row: ConnectionRow; readonly close: () => void }): ReactNode {
  const making = useMutation({
    mutationFn: () =>
      send<MadeToken>('POST', '/v1/tokens', { name: `console: ${row.name}`, connections: [row.name], roles: ['user'] }),
    onSettled: () => queries.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  const made = making.data;
  const { data: snippets, error, refetch } = useQuery(snippetsQuery(row.name, made?.id));
  const [chosen, setChosen] = useState<string | null>(null);
  const first = snippets?.[0]?.client ?? null;
  return (
    <Dialog close={close} title={`Connect to ${row.name}`} size="lg">
      <Stack gap="md">
        {error && <Fault error={error} again={() => void refetch()} />}
        {!snippets && !error && <Waiting what="Asking what clients need ..." />}
        {snippets && (
          <Tabs value={chosen ?? first} onChange={setChosen}>
            <Tabs.List>
              {snippets.map(({ client }) => (
                <Tabs.Tab key={client} value={client}>
                  {client}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            {snippets.map(({ client, about, text }) => (
              <Tabs.Panel key={client} value={client} pt="sm">
                <Text size="sm" mb="xs">
                  {about}
                </Text>
                <Copy text={made ? text.replaceAll(PLACE, made.token) : text} label={`For ${client}`} />
              </Tabs.Panel>
            ))}
          </Tabs>
        )}
        {making.error && <Fault error={making.error} />}
        {made ? (
          <Alert variant="outline" title="The token is in the line above">
            <Stack gap="xs">
              <Text size="sm">
                It is shown this once. It is for {row.name} alone
                {made.expires !== undefined && `, until ${new Date(made.expires).toLocaleString()}`}.
              </Text>
              <Copy text={made.token} label="The token alone" />
            </Stack>
          </Alert>
        ) : (
          <Group justify="space-between">
            <Text size="sm" c="dimmed">
              {PLACE} stands for a token of yours.
            </Text>
            <Button onClick={() => making.mutate()} loading={making.isPending}>
              Make a token for it
            </Button>
          </Group>
        )}
      </Stack>
    </Dialog>
  );
}
