import { setImmediate as turn } from 'node:timers/promises';
import type { Answer, Facts } from '@sluice/contract';
import { expect, test } from 'vitest';
import type { ClientContext } from '../src/context.js';
import { Terminal } from '../src/terminal.js';

const facts: Facts = { actions: [], confidence: 'observed', statements: [] };

/** A terminal whose lines wait for people, with what it has sent to its target. */
function held(): { terminal: Terminal; sent: () => string; answer: (answer: Answer) => void } {
  let sent = '';
  const answers: ((answer: Answer) => void)[] = [];
  const gate = {
    ask: () => new Promise<Answer>((resolve) => answers.push(resolve)),
    record: () => true,
  };
  const context = { gate, shell: 'bash', account: '', nextId: () => 2 } as unknown as ClientContext;
  const terminal = new Terminal(
    context,
    { columns: 80, rows: 24 },
    {
      forward: (bytes) => void (sent += bytes.toString()),
      say: () => undefined,
      record: () => undefined,
      environment: [],
      inputForwarded: () => undefined,
      newLine: () => undefined,
    },
  );
  terminal.output(Buffer.from('$ '));
  return { terminal, sent: () => sent, answer: (answer) => answers.shift()?.(answer) };
}

test.each([
  ['typed', ['ls', '\r'], 'ls\r'],
  ['pasted with its Enter', ['ls\r'], 'ls\r'],
])('the keyboard goes on when the answer about a line that was %s has come', async (_, keys, line) => {
  const { terminal, sent, answer } = held();
  for (const key of keys) {
    terminal.input(Buffer.from(key));
    if (key !== '\r') terminal.output(Buffer.from(key.endsWith('\r') ? 'ls\r\n' : key));
  }
  terminal.input(Buffer.from('next'));
  answer({ type: 'allow', facts });
  await turn();
  expect(sent()).toBe(`${line}next`);
  terminal.input(Buffer.from('!'));
  expect(sent()).toBe(`${line}next!`);
  expect(terminal.waiting).toBe(0);
});
