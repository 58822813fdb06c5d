import { existsSync } from 'node:fs';
import { join } from 'node:path';

export type Tool = 'psql' | 'pgbench' | 'pg_dump' | 'pg_restore' | 'pgbouncer' | 'openssl';

const FOLDERS = ['/usr/lib/postgresql/15/bin', '/usr/bin', '/usr/sbin', '/usr/local/bin'];

/** The path of a Debian tool; undefined when it is not installed. */
export const findTool = (name: Tool): string | undefined =>
  FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
