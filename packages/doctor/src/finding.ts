/** One line of `sluice doctor`. Does not: find anything. */
import type { Finding } from '@sluice/api';

export type { Finding } from '@sluice/api';

export const ok = (check: string, about: string, says: string): Finding => ({ check, about, state: 'ok', says });

export const warning = (check: string, about: string, says: string, todo: string): Finding => ({
  check,
  about,
  state: 'warning',
  says,
  todo,
});

export const failed = (check: string, about: string, says: string, todo: string): Finding => ({
  check,
  about,
  state: 'failed',
  says,
  todo,
});

/** It could not be looked at from here. */
export const unknown = (check: string, about: string, says: string, todo: string): Finding => ({
  check,
  about,
  state: 'unknown',
  says,
  todo,
});

const RANK = { ok: 0, unknown: 1, warning: 1, failed: 2 } as const;

/** Exit status: 0, all is well; 1, something is worth a look; 2, something does not work. */
export const worst = (findings: readonly Finding[]): 0 | 1 | 2 =>
  findings.reduce<0 | 1 | 2>((most, { state }) => (RANK[state] > most ? RANK[state] : most), 0);
