/**
 * The operator's token for the command line of this machine. Owns: its file, renewed at each start. Does not: check tokens
 * (packages/identity).
 */
import { join } from 'node:path';
import { type Directory, OPERATOR } from '@sluice/identity';
import { writePrivate } from './private-files.js';

const FILE = 'admin.token';

/** A token for this machine's own command line, renewed at each start. Returns the file that it is in. */
export async function writeAdminToken(identity: Directory, folder: string): Promise<string> {
  for (const { id, principal, revoked } of identity.tokens()) {
    if (principal !== OPERATOR || revoked !== undefined) continue;
    for (const one of identity.revokeToken(id)) await identity.storeRevocation(one);
  }
  const { token } = await identity.createToken({ principal: OPERATOR, name: 'local command line' });
  const file = join(folder, FILE);
  writePrivate(file, `${token}\n`);
  return file;
}
