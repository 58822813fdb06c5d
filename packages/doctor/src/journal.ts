/**
 * The record on disk: its last seal, and the last head that the store kept of it. Does not: verify it, which
 * `sluice audit verify` does.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HEAD_SETTING } from '@sluice/audit';
import type { Config } from '@sluice/config';
import { listSeals, listSegments, parseHead } from '@sluice/recording';
import { readSetting } from '@sluice/store';
import { type Finding, failed, ok, warning } from './finding.js';

const CHECK = 'journal';
const HOUR_MS = 3_600_000;
/** Seals come each hour; a running gateway that has made none for this long does not seal. */
const LATE_MS = 3 * HOUR_MS;
/** Heads come every ten seconds while something is recorded. */
const MANY = 1_000;

export function examineJournal({ data }: Config, running: boolean, now = Date.now()): Finding[] {
  const folder = join(data, 'journal');
  if (!existsSync(folder)) return [ok(CHECK, folder, 'not there yet: the first start makes it')];
  try {
    const segments = listSegments(folder);
    const processes = [...new Set(segments.map(({ process }) => process))];
    const seals = processes.flatMap((process) => listSeals(folder, process));
    const last = seals
      .map(({ sealed }) => sealed)
      .sort()
      .at(-1);
    const head = parseHead(readSetting(join(data, 'control.db'), HEAD_SETTING) ?? '');
    const says = [
      `${segments.length.toLocaleString('en')} segments`,
      last === undefined ? 'no seal yet' : `last seal ${last}`,
      head ? 'its head is in the store' : 'no head yet',
    ].join(', ');
    const late = running && last !== undefined && now - Date.parse(last) > LATE_MS;
    if (late)
      return [warning(CHECK, folder, says, 'A running gateway seals once an hour: look at /readyz and the log.')];
    if (segments.length > MANY && last === undefined)
      return [failed(CHECK, folder, says, 'Run "sluice audit verify": nothing is sealed.')];
    return [ok(CHECK, folder, says)];
  } catch (error) {
    return [failed(CHECK, folder, (error as Error).message, 'Run "sluice audit verify", which says more.')];
  }
}
