/** A journal of an earlier gateway that is damaged. Does not: test anything. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '@sluice/recording';

/** What is told of it. */
export const CHANGED = 'of gateway-00000002.log or the one behind it was changed';
export const MISSING = 'the segment gateway-00000003.log is missing';

/** A session of four segments beside one that is over in the first. The second has a text with a flipped bit, the third is gone. */
export function fillDamagedJournal(folder: string): void {
  const journal = new Journal({ folder });
  const write = (header: object, payload: readonly Uint8Array[] = []): void =>
    journal.append(JSON.stringify(header), payload);
  const open = (s: string): void =>
    write({ k: 'opened', t: 1_000, s, principal: 'dev', connection: 'db', protocol: 'other', client: '127.0.0.1:1' });
  const close = (s: string): void => write({ k: 'closed', t: 9_000, s, reason: 'bye', commands: 1, denied: 0 });
  const run = (s: string, id: number): void => {
    const command = { type: 'exec', account: 'a', phase: 'run', text: `command ${id}`, confidence: 'exact' };
    write({ k: 'command', t: 1_000 + id, s, id, ...command, actions: [], matched: [], decision: 'allow' });
    write({ k: 'part', t: 1_000 + id, s, id, st: 'out' }, [Buffer.from(`output ${id}\r\n`)]);
    write({ k: 'end', t: 1_000 + id, s, id, outcome: 'ok', summary: 'exit status 0', rows: 0, bytes: 9 });
  };
  open('whole');
  run('whole', 1);
  close('whole');
  open('damaged');
  for (let id = 1; id <= 4; id++) {
    run('damaged', id);
    journal.seal();
  }
  close('damaged');
  journal.close();
  const second = join(folder, 'gateway-00000002.log');
  const bytes = readFileSync(second);
  const at = bytes.indexOf('command 2');
  bytes[at] = (bytes[at] ?? 0) ^ 0x20;
  writeFileSync(second, bytes);
  rmSync(join(folder, 'gateway-00000003.log'));
}
