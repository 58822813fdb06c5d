/** One session: who, and its end. Owns: whether it is watched or read. Does not: what happened in it (recorded.tsx, watched.tsx). */
import { Button, Group, Stack, TextInput } from '@mantine/core';
import type { SessionRow } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { send } from '../data/api.js';
import { queries, sessionQuery, whoAmI } from '../data/queries.js';
import { Dialog } from '../parts/dialog.js';
import { Facts } from '../parts/facts.js';
import { State } from '../parts/state.js';
import { Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { Back, PageTitle } from '../parts/titles.js';
import { Recorded } from './recorded.js';
import { Watched } from './watched.js';

export function SessionPage(): ReactNode {
  const { id } = useParams({ from: '/sessions/$id' });
  const { data: who } = useQuery(whoAmI);
  const { data: row, error, refetch } = useQuery(sessionQuery(id));
  return (
    <Stack gap="md">
      <div>
        <Back to="/sessions">All sessions</Back>
        <PageTitle>Session {id}</PageTitle>
      </div>
      {error && <Fault error={error} again={() => void refetch()} />}
      {!row && !error && <Waiting what="Asking for the session ..." />}
      {row && (
        <>
          <About row={row} />
          {row.state === 'open' && who?.roles.includes('admin') && <End row={row} />}
          {row.state === 'ended' ? <Recorded key={row.id} row={row} /> : <Watched key={row.id} id={row.id} />}
        </>
      )}
    </Stack>
  );
}

const About = ({ row }: { readonly row: SessionRow }): ReactNode => (
  <Facts
    of={[
      ['State', <State key="state" of={row.state} />],
      ['Who', printableLine(row.principal)],
      ['Connection', `${row.connection} (${printableLine(row.protocol)})`],
      ['Client', printableLine(row.client)],
      ['Began', <When key="began" at={row.started} />],
      ['Ended', row.ended && <When at={row.ended} />],
      ['Why it ended', row.reason && printableLine(row.reason)],
      ['Commands', `${row.commands.toLocaleString('en')} passed, ${row.denied.toLocaleString('en')} refused`],
      ...Object.entries(row.claims ?? {}).map(
        ([name, values]) => [name, values.map(printableLine).join(', ')] as const,
      ),
    ]}
  />
);

/** Ends a session, in words that its user is told. */
function End({ row }: { readonly row: SessionRow }): ReactNode {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const ending = useMutation({
    mutationFn: () => send('DELETE', `/v1/sessions/${encodeURIComponent(row.id)}?reason=${encodeURIComponent(reason)}`),
    onSuccess: () => setOpen(false),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sessions'] }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    ending.mutate();
  };
  return (
    <div>
      <Button color="red" variant="outline" onClick={() => setOpen(true)}>
        End this session ...
      </Button>
      {open && (
        <Dialog close={() => setOpen(false)} title={`End session ${row.id}`}>
          <form onSubmit={submit}>
            <Stack gap="md">
              <TextInput
                label="Reason"
                description="Its user is told."
                required
                maxLength={500}
                value={reason}
                onChange={(event) => setReason(event.currentTarget.value)}
                data-autofocus
              />
              {ending.error && <Fault error={ending.error} />}
              <Group justify="flex-end">
                <Button variant="default" onClick={() => setOpen(false)}>
                  Cancel
                </Button>
                <Button type="submit" color="red" loading={ending.isPending}>
                  End it
                </Button>
              </Group>
            </Stack>
          </form>
        </Dialog>
      )}
    </div>
  );
}
