import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from '@sluice/testkit';
import type { Demo } from '../running-demo.js';
import type { Step } from './step.js';

/** Shows the machine with the real client, or why it cannot be shown. */
export async function onAMachine(demo: Demo, show: (step: Step) => void): Promise<void> {
  const tool = findTool('ssh');
  if (typeof demo.vm === 'string' || !tool) {
    const got = typeof demo.vm === 'string' ? demo.vm : 'ssh is not installed';
    return show({ title: 'Left out: SSH', sent: 'ssh vm@gateway', got, held: true });
  }
  const askpass = join(demo.folder, 'askpass');
  writeFileSync(askpass, `#!/bin/sh\ncat '${join(demo.folder, 'developer.token')}'\n`, { mode: 0o700 });
  const ssh = sshOf(demo, tool, askpass);
  const ran = await ssh(['echo "out of $((6 * 7))"; echo err >&2; exit 3']);
  show({
    title: 'A command on a machine runs as it would without the gateway',
    sent: 'ssh vm@gateway \'echo "out of $((6 * 7))"; echo err >&2; exit 3\'',
    got: `status ${ran.status}, "${ran.stdout.trim()}", "${ran.stderr.trim()}"`,
    held: ran.status === 3 && ran.stdout === 'out of 42\n' && ran.stderr === 'err\n',
  });
  writeFileSync(join(demo.vm.home, 'precious'), 'kept\n');
  const refused = await ssh(['rm -rf precious']);
  show({
    title: '  one that destroys is refused, and the client told so',
    sent: "ssh vm@gateway 'rm -rf precious'",
    got: `status ${refused.status}, ${refused.stderr.trim()}`,
    held:
      refused.status === 126 &&
      refused.stderr.includes('nothing-is-destroyed') &&
      readFileSync(join(demo.vm.home, 'precious'), 'utf8') === 'kept\n',
  });
  const jump = await ssh(['-W', '127.0.0.1:1']);
  show({
    title: '  and so is a way past it to other machines',
    sent: 'ssh -W 127.0.0.1:1 vm@gateway',
    got: jump.stderr.trim(),
    held: jump.status !== 0 && jump.stderr.includes('past the gateway'),
  });
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The client logs in with the developer's token, which it asks a program for. */
function sshOf({ gateway, folder }: Demo, tool: string, askpass: string): (words: readonly string[]) => Promise<Ran> {
  const address = gateway.addresses.get('ssh') ?? '';
  const port = address.slice(address.lastIndexOf(':') + 1);
  const known = join(folder, 'known_hosts');
  writeFileSync(known, `[127.0.0.1]:${port} ${gateway.sshKeys.hostKeyLine}\n`);
  const settings = [`UserKnownHostsFile=${known}`, 'StrictHostKeyChecking=yes', 'PubkeyAuthentication=no'];
  const options = ['-F', '/dev/null', ...settings.flatMap((one) => ['-o', one]), '-p', port];
  const env = { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' };
  return (words) => {
    const { promise, resolve, reject } = Promise.withResolvers<Ran>();
    const child = spawn(tool, [...options, 'vm@127.0.0.1', ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
    return promise;
  };
}
