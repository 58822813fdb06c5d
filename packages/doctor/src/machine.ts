/**
 * The machine that a gateway runs on: room on its disk, files that it may open, its data folder, its clock. Does not: change
 * anything.
 */
import { existsSync, statSync, statfsSync } from 'node:fs';
import { type Config, USUAL_CONNECTIONS } from '@sluice/config';
import { fitting, maxOpenFiles } from '@sluice/strangers';
import { type Finding, failed, ok, warning } from './finding.js';

const MIB = 1024 ** 2;
const OTHERS = 0o022;

export const examineMachine = (config: Config): Finding[] => [...disk(config), ...files(config), ...clock()];

function disk({ data, record }: Config): Finding[] {
  if (!existsSync(data))
    return [warning('data', data, 'it is not there yet', 'The first start makes it: "sluice up".')];
  const findings: Finding[] = [];
  const { mode, uid } = statSync(data);
  const own = process.getuid?.();
  if (own !== undefined && uid !== own)
    findings.push(warning('data', data, 'it belongs to another user', 'Run this as the user that runs the gateway.'));
  if ((mode & OTHERS) !== 0)
    findings.push(
      failed('data', data, 'others can write to it', `chmod go-w ${data}: the gateway does not start there.`),
    );
  const { bavail, bsize, blocks } = statfsSync(data);
  const free = bavail * bsize;
  const says = `${Math.floor(free / MIB).toLocaleString('en')} MiB of ${Math.floor((blocks * bsize) / MIB).toLocaleString('en')} MiB are free`;
  // As the gateway itself keeps room (docs/operation.md).
  const reserve = Math.min(record.reserve, (blocks * bsize) / 20);
  if (free < reserve)
    findings.push(failed('disk', data, says, 'Free some, or nobody new is let in: "keep" removes old records by age.'));
  else if (free < 2 * reserve)
    findings.push(warning('disk', data, says, 'Free some: failed logins are not recorded any more.'));
  else findings.push(ok('disk', data, says));
  return findings;
}

function files({ limits }: Config): Finding[] {
  const most = maxOpenFiles();
  const about = 'open files';
  if (most === undefined) return [ok('limits', about, 'this system does not say how many there may be')];
  const { limits: room, short } = fitting(limits, USUAL_CONNECTIONS, most);
  const here = `${most.toLocaleString('en')} here`;
  if (!short) return [ok('limits', about, `${here}, enough for limits.connections and limits.logins`)];
  if (!short.matters)
    return [ok('limits', about, `${here}, enough for ${room.connections.toLocaleString('en')} sessions at once`)];
  return [
    warning(
      'limits',
      about,
      short.says,
      'Raise the limit of open files where the gateway is started (LimitNOFILE=, ulimit -n).',
    ),
  ];
}

/** Before this was written no clock was right. */
const WRITTEN = Date.UTC(2026, 0, 1);

function clock(): Finding[] {
  const now = new Date();
  const says = now.toISOString();
  if (now.getTime() < WRITTEN)
    return [failed('time', 'clock', `it says ${says}`, 'Set the clock: tokens and certificates depend on it.')];
  return [ok('time', 'clock', says)];
}
