/** Approve, deny, take back, pass by break-glass, review. Owns: that one decides about what one sees, says why, and hears what became of it. Does not: judge whether one may. */
import { Alert, Anchor, Button, Group, Kbd, Stack, Text, Textarea } from '@mantine/core';
import type { ApprovalRow, Problem, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { send } from '../data/api.js';
import { mayPass, mayReview, passesWithKey, whyNot } from '../data/deciding.js';
import { approvalQuery, queries } from '../data/queries.js';
import { needsKey, signDecision } from '../data/security-keys.js';
import { Dialog } from '../parts/dialog.js';
import { Fault } from '../parts/states.js';
import { When, useNow } from '../parts/time.js';

type Says = 'approve' | 'deny' | 'revoke' | 'break-glass' | 'review';

/** What a dialog says of what somebody is about to do. `needed`: there has to be a reason. */
interface Wording {
  readonly title: string;
  readonly about: string;
  readonly needed: boolean;
  readonly colour: 'green' | 'red';
}
const WORDINGS: Readonly<Record<Says, Wording>> = {
  approve: { title: 'Approve', about: 'It goes on record.', needed: false, colour: 'green' },
  deny: { title: 'Deny', about: 'Who asked is told.', needed: true, colour: 'red' },
  revoke: { title: 'Take my approval back', about: 'It goes on record.', needed: false, colour: 'red' },
  'break-glass': {
    title: 'Pass it now',
    about:
      'Why can it not wait? Approvers, webhooks and the record are told at once, and somebody else reviews it afterwards.',
    needed: true,
    colour: 'red',
  },
  review: {
    title: 'Close the review',
    about: 'What came of looking at it? It goes on record, and webhooks are told.',
    needed: true,
    colour: 'green',
  },
};
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
  const may: Readonly<Record<Says, boolean>> = {
    approve: open,
    deny: open,
    revoke: back,
    'break-glass': mayPass(row, who) && !over,
    review: mayReview(row, who),
  };
  // Whoever decided a second ago is heard of by an event: the question that is still open is not asked any more.
  const asking = says !== undefined && may[says] ? says : undefined;
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
      {may['break-glass'] && (
        <div>
          <Button color="red" variant="outline" onClick={() => setSays('break-glass')}>
            Pass it now (break-glass) ...
          </Button>
        </div>
      )}
      {back && (
        <div>
          <Button variant="default" size="xs" onClick={() => setSays('revoke')}>
            Take my approval back ...
          </Button>
        </div>
      )}
      <Outcome row={row} />
      <Reviewed row={row} />
      {may.review && (
        <div>
          <Button onClick={() => setSays('review')}>Close the review ...</Button>
        </div>
      )}
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
  const passes = row.state === 'approved' || row.state === 'passed';
  const used = row.used === undefined ? ' It has not been used yet.' : ' It was used.';
  const after = passes && row.kind === 'command' ? used : '';
  return (
    <Alert variant="outline" color={row.state === 'approved' ? 'green' : 'gray'} role="status">
      {row.state === 'passed' ? `This request passed by break-glass${by}.` : `This request is ${row.state}${by}.`}
      {after}
    </Alert>
  );
}

/** Whether somebody else has looked at what passed by break-glass. */
function Reviewed({ row: { review, principal, words } }: { readonly row: ApprovalRow }): ReactNode {
  if (!review) return null;
  const why = words.findLast(({ decision }) => decision === 'break-glass')?.reason ?? '';
  if (review.state === 'open')
    return (
      <Alert variant="outline" color="yellow" role="status" title="Its review is open">
        <b>{printableLine(principal)}</b> passed it without anybody: {printableLine(why)}
        <br />
        Somebody else looks at it, and closes the review with a word.
      </Alert>
    );
  return (
    <Text>
      Reviewed by <b>{printableLine(review.by)}</b> <When at={review.at} />: {printableLine(review.reason)}
    </Text>
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
  const { title, about, needed, colour } = WORDINGS[says];
  const withKey = asksForKey(says, row, who);
  const deciding = useMutation({
    mutationFn: async () => {
      // To the letter as the gateway reads it, since the key signs it.
      const said = reason.trim();
      const assertion = withKey ? await signDecision(row.number, withKey, said) : undefined;
      const body = { reason: said, ...(assertion !== undefined && { assertion }) };
      return send<ApprovalRow | Problem>('POST', `/v1/approvals/${row.number}/${says}`, body);
    },
    onSuccess: (answer) => {
      if ('number' in answer) queries.setQueryData(approvalQuery(row.number).queryKey, answer);
      close();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['approvals'] }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!deciding.isPending) deciding.mutate();
  };
  return (
    <Dialog close={close} title={`${title}: request ${row.number}`}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <div className="one-line">{printableLine(row.text.slice(0, 500))}</div>
          <Textarea
            label={needed ? 'Reason' : 'Reason, if there is one'}
            description={about}
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
          {withKey && (
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
            <Button type="submit" color={colour} loading={deciding.isPending}>
              {title}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

/** What a security key signs, where one is wanted for it. */
function asksForKey(says: Says, row: ApprovalRow, who: WhoAmI): 'approve' | 'deny' | 'break-glass' | undefined {
  if (says === 'break-glass') return passesWithKey(row) ? says : undefined;
  return (says === 'approve' || says === 'deny') && needsKey(row, who) ? says : undefined;
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
