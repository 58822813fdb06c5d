/**
 * Files that a configuration names. Owns: reading them, and whether others on the machine can read what is secret. Does not:
 * know what is in them.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';

/** What a configuration may refer to: the environment, and files relative to its own folder. */
export interface ConfigSources {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Told what is no mistake and worth knowing. */
  readonly warn?: (warning: string) => void;
  /** A variable that the environment does not have is a warning: the gateway runs elsewhere. */
  readonly anyEnvironment?: boolean;
}

export type ReadText =
  | { readonly type: 'read'; readonly text: string }
  | { readonly type: 'failed'; readonly message: string };

/** Reads a file as UTF-8. Never throws: what fails is a sentence. */
export function readText(name: string, sources: ConfigSources): ReadText {
  const read = readBytes(name, sources);
  return read.type === 'read' ? { type: 'read', text: read.bytes.toString('utf8') } : read;
}

/** Reads a file. Never throws: what fails is a sentence. */
export function readBytes(
  name: string,
  { folder }: ConfigSources,
): { readonly type: 'read'; readonly bytes: Buffer } | (ReadText & { readonly type: 'failed' }) {
  const path = resolve(folder, name);
  try {
    return { type: 'read', bytes: readFileSync(path) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? 'unknown error');
    return { type: 'failed', message: `the file ${path} cannot be read: ${why}` };
  }
}

const READABLE_BY_OTHERS = 0o004;
const PASSABLE_BY_OTHERS = 0o001;

/**
 * As `readText`, for what nobody else may have: fails where every user of the machine can read it. On a read-only mount that
 * cannot be mended, and container engines put secrets there with mode 0444: there it is a warning.
 */
export function readPrivateText(name: string, outside: ConfigSources): ReadText {
  const read = readText(name, outside);
  if (read.type === 'failed') return read;
  const path = resolve(outside.folder, name);
  if (!isReadByOthers(path)) return read;
  if (!isOnReadOnlyMount(path)) {
    return { type: 'failed', message: `everybody on this machine can read ${path}: chmod o-r it` };
  }
  outside.warn?.(`Everybody on this machine can read ${path}, a secret on a read-only mount.`);
  return read;
}

/** Whether every user of the machine can read it: the file itself, and pass each folder above. */
function isReadByOthers(path: string): boolean {
  if ((statSync(path).mode & READABLE_BY_OTHERS) === 0) return false;
  for (let folder = dirname(realpathSync(path)); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & PASSABLE_BY_OTHERS) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

function isOnReadOnlyMount(path: string): boolean {
  try {
    return isMountReadOnly(realpathSync(path), readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    // Not Linux: nothing is known of mounts.
    return false;
  }
}

/**
 * Whether the mount that a file is on is read-only.
 *
 * @param file an absolute path without links
 * @param mountinfo what /proc/self/mountinfo says; proc(5): the mount point is the fifth field, its options the sixth
 */
export function isMountReadOnly(file: string, mountinfo: string): boolean {
  const holding = mountinfo
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, , , , point = '', options = '']) => ({ point: unescaped(point), options: options.split(',') }))
    .filter(({ point }) => point === file || file.startsWith(point === sep ? sep : `${point}${sep}`))
    .reduce<{ point: string; options: string[] } | undefined>(
      // Of two mounts on one place the later covers the earlier.
      (longest, mount) => (longest && longest.point.length > mount.point.length ? longest : mount),
      undefined,
    );
  return holding?.options.includes('ro') ?? false;
}

/** Blanks, tabs, line feeds and backslashes are written in octal. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
