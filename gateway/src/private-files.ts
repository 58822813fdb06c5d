/** Files and folders for this user alone. Owns: how they are made, and the refusal of what others can write to. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

const KEY_BYTES = 32;
const BY_GROUP = 0o020;
const BY_OTHERS = 0o002;

/** Writes a file for this user only, as a new one: what was there before, with whatever mode, is replaced as a whole. */
export function writePrivate(file: string, content: string): void {
  const draft = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.new`;
  try {
    writeFileSync(draft, content, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** 32 bytes in a file for this user only, made at the first call. @throws Error for a file with anything else in it */
export function privateKeyIn(file: string): Buffer {
  if (!existsSync(file)) writePrivate(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  if (key.length !== KEY_BYTES) throw new Error(`The file ${file} has no key of ${KEY_BYTES} bytes in it.`);
  return key;
}

/**
 * Makes a folder for this user only, where there is none.
 *
 * @throws Error with a sentence when others can write to the one that is there: they could replace keys, tokens and records
 */
export function privateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode, uid, gid } = statSync(folder);
  const own = process.getuid?.();
  if (own === undefined) return;
  const who =
    uid !== own && uid !== 0
      ? `belongs to user ${uid}, who is not the one that the gateway runs as (${own})`
      : (mode & BY_OTHERS) !== 0
        ? 'can be written to by everybody'
        : (mode & BY_GROUP) !== 0 && gid !== process.getgid?.()
          ? `can be written to by group ${gid}`
          : undefined;
  if (who === undefined) return;
  throw new Error(
    `The folder ${folder} ${who}: others could replace keys, tokens and records in it. Give it to the user of the gateway alone: chown ${own} ${folder} && chmod 700 ${folder}`,
  );
}
