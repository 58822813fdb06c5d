/** psql at a PostgreSQL and at a gateway in front of it, with the texts of a client in an encoding of its own. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool, temporaryFolder } from '@sluice/testkit';
import { type ServedStand, openServedStand } from './served-stand.js';
import type { Stand } from './stand.js';

export type Way = 'direct' | Stand;

export interface EncodingsStand extends Omit<ServedStand, 'direct'> {
  /** What psql prints of a script, both byte for byte (latin1). `database`: of the server itself. */
  said(way: Way, encoding: string, script: Buffer | string, database?: string): Promise<string>;
}

export async function openEncodingsStand(
  major: 15 | 18,
  schema: readonly string[],
  rules: string,
): Promise<EncodingsStand> {
  const folder = temporaryFolder('encodings');
  const { server, stand, stop } = await openServedStand(major, schema, { rules });
  return {
    server,
    stand,
    said: async (way, encoding, script, database = 'postgres') => {
      const file = join(folder.path, 'script.sql');
      writeFileSync(file, script);
      const [where, password] =
        way === 'direct'
          ? [`host=${server.host} port=${server.port} user=${server.user} dbname=${database}`, server.password]
          : [`host=127.0.0.1 port=${way.port} user=dev dbname=db`, way.token];
      const env = { ...process.env, PGPASSWORD: password, PGCLIENTENCODING: encoding };
      const { stdout, stderr } = await promisify(execFile)(findTool('psql') ?? '', [where, '-XAtq', '-f', file], {
        env,
        encoding: 'latin1',
      }).catch((error: { stdout: string; stderr: string }) => error);
      return `${stdout}${stderr.replaceAll(/psql:\S+ /g, '')}`;
    },
    stop: async () => {
      await stop();
      folder.remove();
    },
  };
}
