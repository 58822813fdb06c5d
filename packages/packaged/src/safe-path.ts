/**
 * Whether other users of the machine could change a file that the gateway runs. Owns: what may be said of the owner and the mode
 * of a file and of the folders above it. Does not: data of the gateway's own, see private-files.ts.
 */
import { type Stats, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const BY_GROUP = 0o020;
const BY_OTHERS = 0o002;
const STICKY = 0o1000;

/** Why others could change what this is; undefined: only its owner can, who is this user or root. */
export function changeable({ mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>): string | undefined {
  const own = process.getuid?.();
  if (own === undefined) return undefined;
  if (uid !== own && uid !== 0) return `belongs to user ${uid}, who is not the one that the gateway runs as (${own})`;
  if ((mode & BY_OTHERS) !== 0) return 'can be written to by everybody';
  if ((mode & BY_GROUP) !== 0 && gid !== process.getgid?.()) return `can be written to by group ${gid}`;
  return undefined;
}

/**
 * Why others could put something else in the place of `path`, by a folder above it, up to the root. In a folder with the sticky
 * bit (/tmp) only the owner of an entry can rename or remove it: there the entry decides. Where a link leads to counts as well, and
 * so does each link that it leads to.
 */
export function replaceable(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stats = lstatSync(folder);
    const why = stats.isSymbolicLink() || (stats.mode & STICKY) !== 0 ? ownedBy(stats) : changeable(stats);
    if (why !== undefined) return `the folder ${folder} ${why}`;
    if (stats.isSymbolicLink()) {
      const target = resolve(realpathSync(dirname(folder)), readlinkSync(folder));
      const further = replaceable(join(target, 'entry'));
      if (further !== undefined) return further;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** A link has no mode of its own. */
const ownedBy = (stats: Stats): string | undefined => changeable({ mode: 0, uid: stats.uid, gid: stats.gid });
