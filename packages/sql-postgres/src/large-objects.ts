/**
 * The functions of large objects (35.4 of the documentation), as what they do to pg_largeobject, the table that all of them are in.
 * Owns: the list. Does not own: lo_import and lo_export of the server, which reach files of its host (functions.ts). Data only.
 */
import type { Effect, Resource } from '@sluice/contract';

export const LARGE_OBJECT_TABLE = 'pg_catalog.pg_largeobject';

interface LargeObjectCall {
  readonly effects: readonly Effect[];
  readonly table: Pick<Resource, 'name' | 'access'>;
}

const functions = (
  names: string,
  access: Resource['access'],
  ...effects: Effect[]
): (readonly [string, LargeObjectCall])[] =>
  names.split(' ').map((name) => [name, { effects, table: { name: LARGE_OBJECT_TABLE, access } }]);

export const LARGE_OBJECT_FUNCTIONS: ReadonlyMap<string, LargeObjectCall> = new Map([
  ...functions('lo_open lo_close lo_lseek lo_lseek64 lo_tell lo_tell64 loread lo_get', 'read', 'read'),
  ...functions('lo_creat lo_create lo_from_bytea lo_put lowrite', 'write', 'write'),
  // They take away what was there.
  ...functions('lo_truncate lo_truncate64 lo_unlink', 'destroy', 'write', 'destroy'),
]);

/** Those that return what is in a large object. The others return its number, places in it, or nothing. */
export const LARGE_OBJECT_READERS: ReadonlySet<string> = new Set(['loread', 'lo_get']);

/** Why the contents of a large object are not known to be free of masked values: a phrase. */
export const LARGE_OBJECT_CONTENTS = 'reads a large object, that holds values of other tables';
