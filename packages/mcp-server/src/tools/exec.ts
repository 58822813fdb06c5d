/** `exec`: one command line on a machine. Does not: judge it, or know machines. */
import { z } from 'zod';
import { MACHINES } from '../clients/index.js';
import { type Output, execute } from '../clients/ssh.js';
import { readsOnly } from '../reads-only.js';
import { inSession, inWords } from '../running.js';
import { RUNNING, connectionName, connectionOf, tool } from '../tool.js';

/** Of each stream, so much is given. */
const MAX_OUTPUT_BYTES = 256 * 1024;
const DEFAULT_OUTPUT_BYTES = 64 * 1024;

const stream = z.object({
  text: z.string(),
  encoding: z.enum(['utf8', 'base64']),
  bytes: z.int().describe('All that was written.'),
  truncated: z.boolean().describe('Only the start is given.'),
});

export const exec = tool({
  name: 'exec',
  title: 'Run a command on a machine',
  description:
    'Runs one command line on a machine by SSH and gives its output and exit code. There is no terminal, and each call is a session of its own. A refusal says by which rule and what to do.',
  input: z.strictObject({
    connection: connectionName,
    command: z.string().min(1).describe('For the shell of the machine.'),
    account: z.string().min(1).max(100).optional().describe('On the machine, other than the usual one.'),
    input: z.string().default('').describe('What it reads from its standard input.'),
    max_bytes: z.int().min(1).max(MAX_OUTPUT_BYTES).default(DEFAULT_OUTPUT_BYTES).describe('Of each stream.'),
    ...RUNNING,
  }),
  output: z.object({
    exit_code: z.int().optional(),
    signal: z.string().optional(),
    stdout: stream,
    stderr: stream,
  }),
  isFor: (connections) => connections.some(({ protocol }) => MACHINES.includes(protocol)),
  annotations: ({ principal, connections }) => {
    const machines = connections().filter(({ protocol }) => MACHINES.includes(protocol));
    const only = machines.every((one) => readsOnly(one, principal));
    return { readOnlyHint: only, ...(!only && { destructiveHint: true }), openWorldHint: true };
  },
  run({ connection, command, account, input, max_bytes: keep, ...bounds }, call) {
    const found = connectionOf(call.caller, connection, MACHINES);
    const user = account === undefined ? connection : `${account}+${connection}`;
    return inSession(call, found, bounds, 'command', async (open) => {
      const { code, signal, stdout, stderr } = await execute(open, { user, command, input, keep });
      // A refused command ends like one that failed, with the sentence in its standard error.
      if (open.heard.denied) throw inWords(undefined, open, 'command');
      return {
        ...(code !== undefined && { exit_code: code }),
        ...(signal !== undefined && { signal }),
        stdout: given(stdout),
        stderr: given(stderr),
      };
    });
  },
});

function given({ kept, bytes }: Output): z.output<typeof stream> {
  return { ...readable(kept), bytes, truncated: bytes > kept.length };
}

/** As text where it is one. Cut in the middle of a character it still is. */
export function readable(bytes: Buffer): { readonly text: string; readonly encoding: 'utf8' | 'base64' } {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
  return text.includes('\ufffd') || text.includes('\0')
    ? { text: bytes.toString('base64'), encoding: 'base64' }
    : { text, encoding: 'utf8' };
}
