/** Approve, deny, take back. Owns: that one decides about what one sees, says why, and hears what became of it. Does not: judge whether one may. */
import { Alert, Anchor, Button, Group, Kbd, Stack, Text, Textarea } from '@mantine/core';
import type { ApprovalRow, Problem, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { send } from '../data/api.js';
import { whyNot } from '../data/deciding.js';
import { approvalQuery, queries } from '../data/queries.js';
import { needsKey, signDecision } from '../data/security-keys.js';
import { Dialog } from '../parts/dialog.js';
import { Fault } from '../parts/states.js';
import { useNow } from '../parts/time.js';

type Says = 'approve' | 'deny' | 'revoke';

const TITLES: Readonly<Record<Says, string>> = { approve: 'Approve', deny: 'Deny', revoke: 'Take my approval back' };
/** As the gateway takes it. Characters. */
const MAX_REASON = 1_000;

export function Decide({ row, who }: { readonly row: ApprovalRow; readonly who: WhoAmI }): ReactNode {
  const [says, setSays] = useState<Says>();
  const over = useNow(1_000) > Date.parse(row.expires);
  const no = whyNot(row, who);
  const open = row.state === 'pending' && no === undefined && !over;
  const own = row.words.some(
    (word) => word.by === who.name && word.decision === 'approve' && word.takenBack === undefined,
  );
  const back = own && row.used === undefined && (row.state === 'pending' || row.state === 'approved');
  useKeys(open, setSays);
  // Whoever decided a second ago is heard of by an event: the question that is still open is not asked any more.
  const asking = says !== undefined && (says === 'revoke' ? back : open) ? says : undefined;
  return (
    <Stack gap="xs">
      {open && (
        <Group gap="sm">
          <Button color="green" onClick={() => setSays('approve')} rightSection={<Key name="a" />}>
            Approve ...
          </Button>
          <Button color="red" variant="outline" onClick={() => setSays('deny')} rightSection={<Key name="d" />}>
            Deny ...
          </Button>
        </Group>
      )}
      {row.state === 'pending' && over && <Text>The time is over. Nobody can decide about it any more.</Text>}
      {no !== undefined && !over && <Text>{no}</Text>}
      {back && (
        <div>
          <Button variant="default" size="xs" onClick={() => setSays('revoke')}>
            Take my approval back ...
          </Button>
        </div>
      )}
      <Outcome row={row} />
      {asking && <Ask key={asking} row={row} who={who} says={asking} close={() => setSays(undefined)} />}
    </Stack>
  );
}

const Key = ({ name }: { readonly name: string }): ReactNode => (
  <Kbd size="xs" aria-hidden>
    {name}
  </Kbd>
);

/** What became of it, told to whoever looks at it while it happens. */
function Outcome({ row }: { readonly row: ApprovalRow }): ReactNode {
  if (row.state === 'pending') return null;
  const last = row.words.at(-1);
  const by = last && row.state !== 'expired' && row.state !== 'withdrawn' ? ` by ${printableLine(last.by)}` : '';
  const after =
    row.state === 'approved' ? (row.used === undefined ? ' It has not been used yet.' : ' It was used.') : '';
  return (
    <Alert variant="outline" color={row.state === 'approved' ? 'green' : 'gray'} role="status">
      This request is {row.state}
      {by}.{after}
    </Alert>
  );
}

function Ask({
  row,
  who,
  says,
  close,
}: {
  readonly row: ApprovalRow;
  readonly who: WhoAmI;
  readonly says: Says;
  readonly close: () => void;
}): ReactNode {
  const [reason, setReason] = useState('');
  const withKey = needsKey(row, who);
  const deciding = useMutation({
    mutationFn: async () => {
      // To the letter as the gateway reads it, since the key signs it.
      const said = reason.trim();
      const assertion = withKey && says !== 'revoke' ? await signDecision(row.number, says, said) : undefined;
      const body = { reason: said, ...(assertion !== undefined && { assertion }) };
      return send<ApprovalRow | Problem>('POST', `/v1/approvals/${row.number}/${says}`, body);
    },
    onSuccess: (answer) => {
      if ('number' in answer) queries.setQueryData(approvalQuery(row.number).queryKey, answer);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['approvals'] }),
  });
  const needed = says === 'deny';
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!deciding.isPending) deciding.mutate();
  };
  return (
    <Dialog close={close} title={`${TITLES[says]}: request ${row.number}`}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <div className="one-line">{printableLine(row.text.slice(0, 500))}</div>
          <Textarea
            label={needed ? 'Reason' : 'Reason, if there is one'}
            description={needed ? 'Who asked is told.' : 'It goes on record.'}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
            }}
            required={needed}
            maxLength={MAX_REASON}
            autosize
            minRows={2}
            data-autofocus
          />
          {withKey && says !== 'revoke' && (
            <Text size="sm">
              Then touch your security key: it signs this decision about this request, and nothing else.{' '}
              <Anchor component={Link} to="/keys" underline="always" inherit>
                Your keys
              </Anchor>
            </Text>
          )}
          {deciding.error && <Fault error={deciding.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" color={says === 'approve' ? 'green' : 'red'} loading={deciding.isPending}>
              {TITLES[says]}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

/** `a` and `d` ask for the reason; nothing is decided by a single key. */
function useKeys(on: boolean, set: (says: Says) => void): void {
  useEffect(() => {
    if (!on) return undefined;
    const onKey = (event: KeyboardEvent): void => {
      const says = ({ a: 'approve', d: 'deny' } as const)[event.key];
      const { target } = event;
      const writes =
        target instanceof HTMLElement && target.closest('input, textarea, select, [role="dialog"]') !== null;
      if (says === undefined || writes || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      set(says);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [on, set]);
}
