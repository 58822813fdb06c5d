/** `sluice login` on this computer asks to be let in. Owns: that it is not, before somebody said so. Does not: check where it is: the gateway does. */
import { Button, Group, Stack, Text } from '@mantine/core';
import { printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { send } from '../data/api.js';
import { whoAmI } from '../data/queries.js';
import { Fault } from '../parts/states.js';
import { PageTitle } from '../parts/titles.js';

export function LetIn(): ReactNode {
  const { data: who } = useQuery(whoAmI);
  const wanted = new URLSearchParams(location.search);
  const [at, state, challenge] = ['at', 'state', 'challenge'].map((name) => wanted.get(name) ?? '');
  const letting = useMutation({
    mutationFn: () => send<{ readonly to: string }>('POST', '/auth/terminal', { at, state, challenge }),
    onSuccess: ({ to }) => location.assign(to),
  });
  if (!who) return null;
  return (
    <Stack gap="md" maw="36rem">
      <PageTitle>Log in your command line</PageTitle>
      <Text>
        A program on this computer, at {printableLine(at ?? '')}, wants to be let in as {printableLine(who.name)}. If
        you have just typed <code>sluice login</code>, that is it.
      </Text>
      <Text>If you have not, close this page: whatever it is would act as you.</Text>
      {letting.error && <Fault error={letting.error} />}
      <Group>
        <Button loading={letting.isPending || letting.isSuccess} onClick={() => letting.mutate()}>
          Let it in as {printableLine(who.name)}
        </Button>
      </Group>
    </Stack>
  );
}
