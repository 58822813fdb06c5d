import type { Command, ResponseEvent } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { Journal, commandHeader, listSessions, responseHeader, timeline, toAsciicast } from '../src/index.js';
import { emptyFolder } from './folder.js';

const START = 1_700_000_000_500;
const SESSION = 'ses_terminal';
const JUDGED = (text: string): string =>
  `"text":${JSON.stringify(text)},"confidence":"observed","actions":[],"matched":[],"decision":"allow"`;

/** The records of a session of terminals and programs, as a protocol asks for them. */
function recorded(...events: readonly (readonly [at: number, Command | ResponseEvent])[]): string {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  const other = {
    k: 'opened',
    t: START,
    s: 'ses_other',
    principal: 'eve',
    connection: 'vm',
    protocol: 'ssh',
    client: 'x',
  };
  journal.append(JSON.stringify(other));
  journal.append(JSON.stringify({ ...other, s: SESSION, principal: 'ada' }));
  for (const [at, event] of events) {
    const now = START + at;
    if (event.type === 'part' || event.type === 'end') {
      journal.append(responseHeader('ses_other', event, now), event.data);
      journal.append(responseHeader(SESSION, event, now), event.data);
    } else journal.append(commandHeader(SESSION, event, JUDGED(event.text), 'full', now));
  }
  journal.append(JSON.stringify({ k: 'closed', t: START + 9_000, s: SESSION, reason: 'gone', commands: 1, denied: 0 }));
  journal.commit();
  journal.close();
  return folder;
}

const shell: Command = {
  type: 'shell',
  id: 1,
  shell: 'bash',
  text: '',
  account: 'root',
  environment: [],
  terminal: true,
};
const part = (
  stream: 'out' | 'err' | 'size' | 'line' | undefined,
  data: string | Buffer,
  command = 1,
): ResponseEvent => ({
  type: 'part',
  command,
  ...(stream && { stream }),
  data: [Buffer.from(data)],
});
const end = (summary: string, command = 1, outcome: 'ok' | 'error' = 'ok'): ResponseEvent => ({
  type: 'end',
  command,
  outcome,
  summary,
  rows: 0,
  bytes: 0,
  data: [],
});

interface Cast {
  readonly header: { version: number; term: { cols: number; rows: number }; timestamp: number; title: string };
  /** With the time since the start. */
  readonly events: readonly { readonly time: number; readonly code: string; readonly data: string }[];
}

/** A reader of the format of its own, by what its specification says. */
function played(lines: readonly string[]): Cast {
  const [first = '', ...rest] = lines;
  for (const line of lines) expect(line).not.toContain('\n');
  const header = JSON.parse(first) as Cast['header'];
  let time = 0;
  const events = rest
    .filter((line) => !line.startsWith('#'))
    .map((line) => {
      const event = JSON.parse(line) as unknown[];
      expect(event).toHaveLength(3);
      const [interval, code, data] = event as [number, string, string];
      expect(interval).toBeGreaterThanOrEqual(0);
      expect('oimrx').toContain(code);
      if (code === 'r') expect(data).toMatch(/^\d+x\d+$/);
      if (code === 'x') expect(data).toMatch(/^\d+$/);
      time += interval;
      return { time: Math.round(time * 1000), code, data };
    });
  return { header, events };
}

async function cast(folder: string, command?: number): Promise<Cast> {
  const session = listSessions(folder).find(({ id }) => id === SESSION);
  if (!session) throw new Error('the session is not on record');
  const lines: string[] = [];
  for await (const line of toAsciicast(session, timeline(folder, SESSION), command)) lines.push(line);
  return played(lines);
}

describe('asciicast version 3', () => {
  test('a terminal: size, output, markers, a change of size, the status', async () => {
    const folder = recorded(
      [10, shell],
      [12, part('size', '120x40')],
      [250, part('out', '\u001b[1m$\u001b[0m ')],
      [1_250, part('line', 'ls -la')],
      [1_260, part('out', 'total 0\r\n')],
      [2_000, part('size', '90x30')],
      [2_500, part('err', 'oops\r\n')],
      [3_000, end('exit status 3')],
    );
    const { header, events } = await cast(folder);
    expect(header).toMatchObject({ version: 3, term: { cols: 120, rows: 40 }, timestamp: 1_700_000_000 });
    expect(header.title).toContain('ada');
    expect(events).toEqual([
      { time: 250, code: 'o', data: '\u001b[1m$\u001b[0m ' },
      { time: 1_250, code: 'm', data: 'ls -la' },
      { time: 1_260, code: 'o', data: 'total 0\r\n' },
      { time: 2_000, code: 'r', data: '90x30' },
      { time: 2_500, code: 'o', data: 'oops\r\n' },
      { time: 3_000, code: 'x', data: '3' },
    ]);
  });

  test('a character in two pieces is one, and its bytes are never replaced', async () => {
    const text = Buffer.from('größe 😀');
    const pieces = Array.from(text, (byte, n): readonly [number, ResponseEvent] => [
      100 + n,
      part('out', Buffer.from([byte])),
    ]);
    const { events } = await cast(recorded([0, shell], ...pieces, [500, end('')]));
    expect(events.map(({ data, code }) => (code === 'o' ? data : '')).join('')).toBe('größe 😀');
    expect(events.at(-1)).toMatchObject({ code: 'x', data: '0' });
  });

  test('one command of several, from its own start', async () => {
    const exec = (id: number, text: string): Command => ({ ...shell, type: 'exec', id, text });
    const folder = recorded(
      [1_000, exec(1, 'uptime')],
      [1_100, part('out', 'up\n', 1)],
      [1_200, end('exit status 0', 1)],
      [5_000, exec(2, 'false')],
      [5_050, part('err', 'no\n', 2)],
      [5_100, end('', 2, 'error')],
    );
    expect((await cast(folder, 2)).events).toEqual([
      { time: 0, code: 'm', data: 'false' },
      { time: 50, code: 'o', data: 'no\n' },
      { time: 100, code: 'x', data: '1' },
    ]);
    expect((await cast(folder)).events.filter(({ code }) => code === 'x')).toHaveLength(1);
    expect((await cast(folder)).header.term).toEqual({ cols: 80, rows: 24 });
  });

  test('a clock that steps back makes no time negative', async () => {
    const { events } = await cast(
      recorded([500, shell], [400, part('out', 'a')], [700, part('out', 'b')], [600, end('')]),
    );
    expect(events.map(({ time }) => time)).toEqual([400, 700, 700]);
  });
});

describe('entries', () => {
  test('pieces of a stream are entries of their own, with their time', () => {
    const folder = recorded(
      [10, shell],
      [20, part('out', 'a')],
      [30, part('size', '1x1')],
      [40, part(undefined, 'row')],
      [50, end('')],
    );
    const entries = timeline(folder, SESSION);
    expect(entries.map(({ type, at }) => [type, at])).toEqual([
      ['opened', 0],
      ['command', 10],
      ['output', 20],
      ['output', 30],
      ['response', 50],
      ['closed', 9_000],
    ]);
    expect(entries[1]).toMatchObject({ kind: 'shell', account: 'root', phase: 'run' });
    expect(entries[2]).toMatchObject({ stream: 'out', data: Buffer.from('a') });
    expect(entries[4]).toMatchObject({ data: Buffer.from('row') });
  });

  test('an account with a quote in its name stays a name', () => {
    const folder = recorded([0, { ...shell, account: 'a","decision":"deny' }]);
    expect(timeline(folder, SESSION)[1]).toMatchObject({ account: 'a","decision":"deny', decision: 'allow' });
    expect(listSessions(folder).find(({ id }) => id === SESSION)).toMatchObject({ denied: 0 });
  });
});
