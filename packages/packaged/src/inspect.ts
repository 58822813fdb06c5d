/**
 * A package of somebody else, looked at without running it: where it is, which version, what its files are, and who else could
 * change them. Does not: load it (load.ts), or fetch anything.
 */
import { createHash, type Hash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';
import { changeable, replaceable } from './safe-path.js';

/** A package with more than this is none that speaks a protocol. */
const MAX_FILES = 20_000;
const MAX_BYTES = 256 * 1024 * 1024;

export interface InspectedPackage {
  readonly name: string;
  readonly version: string;
  /** The file that is run. */
  readonly entry: string;
  /** SHA-256 of the names and contents of its files and of those of all packages that it depends on, in hexadecimal digits. */
  readonly digest: string;
  /** Packages that it depends on, as name@version. */
  readonly dependencies: readonly string[];
}

/** For the log and the record. */
export const describePackage = ({ name, version, digest, dependencies }: InspectedPackage): string =>
  `package ${name} ${version}, SHA-256 ${digest}${dependencies.length === 0 ? '' : `, with ${dependencies.join(', ')}`}`;

/** Why a package cannot be used, in a sentence. */
export class PackageError extends Error {
  constructor(name: string, why: string, hint = '') {
    super(`The package ${name} cannot be used: ${why}.${hint === '' ? '' : ` ${hint}`}`);
  }
}

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly optionalDependencies?: Readonly<Record<string, unknown>>;
  readonly peerDependencies?: Readonly<Record<string, unknown>>;
}

/**
 * Finds a package as Node would for a file in `folder`, and reads all of it.
 *
 * @throws PackageError when it is not there, or when others than root and this user can write to it or to a folder above it
 */
export function inspectPackage(name: string, folder: string): InspectedPackage {
  try {
    return inspect(name, folder);
  } catch (error) {
    if (error instanceof PackageError) throw error;
    throw new PackageError(name, `it cannot be read: ${(error as Error).message}`);
  }
}

function inspect(name: string, folder: string): InspectedPackage {
  const asked = join(folder, 'sluice.yaml');
  const found = new Map<string, { name: string; version: string }>();
  const tally = { hash: createHash('sha256'), files: 0, bytes: 0 };
  const top = look(name, name, asked, found, tally);
  if (top === undefined) {
    throw new PackageError(name, `it is not installed beside ${folder}`, `Install it there: npm install ${name}.`);
  }
  return {
    name,
    version: String(top.manifest.version ?? ''),
    entry: entryOf(name, asked, top.folder),
    digest: tally.hash.digest('hex'),
    dependencies: [...found.values()].slice(1).map((one) => `${one.name}@${one.version}`),
  };
}

/** `packageName` is the one that is asked for, for sentences; `name` the one that is looked at now. Undefined: it is not there. */
function look(
  packageName: string,
  name: string,
  from: string,
  found: Map<string, { name: string; version: string }>,
  tally: PackageSize,
): { folder: string; manifest: Manifest } | undefined {
  const file = findManifest(name, from);
  if (file === undefined) return undefined;
  // By both ways to it: over a link to it, and without.
  const folder = realpathSync(dirname(file));
  const why = replaceable(file) ?? replaceable(folder);
  if (why !== undefined) throw unsafe(packageName, why);
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  if (found.has(folder)) return { folder, manifest };
  if (name === packageName && manifest.name !== name)
    throw new PackageError(packageName, `its package.json calls it "${String(manifest.name)}"`);
  found.set(folder, { name, version: String(manifest.version ?? '') });
  tally.hash.update(`${name}\0${String(manifest.version ?? '')}\0`);
  addFolder(packageName, folder, folder, tally);
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest;
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).sort();
  for (const one of names) if (!isBuiltin(one)) look(packageName, one, join(folder, 'package.json'), found, tally);
  return { folder, manifest };
}

interface PackageSize {
  readonly hash: Hash;
  files: number;
  bytes: number;
}

/** The package.json of a package as Node looks for it from a file: in the folder of that, and in each one above. */
function findManifest(name: string, from: string): string | undefined {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const file = join(folder, 'node_modules', name, 'package.json');
    if (basename(folder) !== 'node_modules' && existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

/** All files below, in an order that does not depend on the file system. */
function addFolder(packageName: string, top: string, folder: string, tally: PackageSize): void {
  check(packageName, folder);
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      addFolder(packageName, top, path, tally);
      continue;
    }
    if (++tally.files > MAX_FILES) throw new PackageError(packageName, `it has more than ${MAX_FILES} files`);
    tally.hash.update(`${relative(top, path)}\0`);
    if (entry.isSymbolicLink()) {
      addLink(packageName, top, path, tally);
      continue;
    }
    if (!entry.isFile()) throw new PackageError(packageName, `${path} is no file`);
    check(packageName, path);
    tally.bytes += lstatSync(path).size;
    if (tally.bytes > MAX_BYTES) throw new PackageError(packageName, `it has more than ${MAX_BYTES / 1024 / 1024} MiB`);
    const bytes = readFileSync(path);
    tally.hash.update(`file ${bytes.length}\0`).update(bytes);
  }
}

/** What a link in a package leads to is in that package, and was looked at there; or it would be code that nobody looked at. */
function addLink(packageName: string, top: string, path: string, tally: PackageSize): void {
  const target = realpathSync(path);
  if (!isInside(target, top))
    throw new PackageError(packageName, `${path} leads out of it, to ${target}`, 'Install it without links.');
  tally.hash.update(`link ${readlinkSync(path)}\0`);
}

function check(packageName: string, path: string): void {
  const why = changeable(lstatSync(path));
  if (why !== undefined) throw unsafe(packageName, `${path} ${why}`);
}

const unsafe = (packageName: string, why: string): PackageError =>
  new PackageError(
    packageName,
    `${why}, so others could change what the gateway runs`,
    'Give it to root or to the user of the gateway: chown -R, and chmod -R go-w.',
  );

const isInside = (path: string, folder: string): boolean => path === folder || path.startsWith(folder + sep);

function entryOf(name: string, from: string, folder: string): string {
  let entry: string;
  try {
    entry = realpathSync(createRequire(from).resolve(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
      ? new PackageError(name, 'it exports nothing as "."', 'Its "exports" need a file, or a condition "default".')
      : new PackageError(name, 'the file that its package.json names is not there', 'Has it been built?');
  }
  if (!isInside(entry, folder)) throw new PackageError(name, `what would be run is not in it but at ${entry}`);
  return entry;
}
