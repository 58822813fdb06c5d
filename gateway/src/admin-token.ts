import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Directory, OPERATOR } from '@sluice/identity';

const FILE = 'admin.token';

/** A token for this machine's own command line, renewed at each start. Returns the file that it is in. */
export async function writeAdminToken(identity: Directory, folder: string): Promise<string> {
  for (const { id, principal, revoked } of identity.tokens()) {
    if (principal !== OPERATOR || revoked !== undefined) continue;
    for (const one of identity.revokeToken(id)) await identity.storeRevocation(one);
  }
  const { token } = await identity.createToken({ principal: OPERATOR, name: 'local command line' });
  const file = join(folder, FILE);
  const fresh = `${file}.new`;
  // A file of its own: one that is there already keeps its mode, and may be open elsewhere.
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${token}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, file);
  return file;
}
