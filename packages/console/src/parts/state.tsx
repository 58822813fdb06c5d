/** A state as a word and a colour, never by the colour alone. */
import { Text } from '@mantine/core';
import type { ReactNode } from 'react';

const KINDS: Readonly<Record<string, 'good' | 'bad' | 'wait' | 'over'>> = {
  pending: 'wait',
  approved: 'good',
  passed: 'wait',
  denied: 'bad',
  withdrawn: 'over',
  expired: 'over',
  open: 'good',
  login: 'wait',
  ended: 'over',
  allow: 'good',
  deny: 'bad',
  hold: 'wait',
  ready: 'good',
  'not ready': 'bad',
  ok: 'good',
  warning: 'wait',
  failed: 'bad',
  unknown: 'wait',
  connected: 'good',
  away: 'wait',
  revoked: 'over',
};
const WORDS: Readonly<Record<string, string>> = {
  pending: 'waits',
  passed: 'passed by break-glass',
  allow: 'passed',
  deny: 'refused',
  hold: 'held',
};

export const State = ({ of }: { readonly of: string }): ReactNode => (
  <span className="state">
    <span className="dot" data-kind={KINDS[of] ?? 'over'} />
    <Text span size="sm" fw={600}>
      {WORDS[of] ?? of}
    </Text>
  </span>
);
