/**
 * What the target has been told of who has the session (`annotate`): asked back once the login is over. Owns: that question, and what a
 * client is told where the answer is another one. Does not: tell it (upstream.ts).
 */
import { ANNOTATIONS, type LookQuestion, type Looked, type Target } from '@sluice/contract';

const asked = ANNOTATIONS.map(
  (name) =>
    `pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting('${name}', true), pg_catalog.current_setting('server_encoding')), 'hex')`,
);
/** In digits, so that no encoding matters. */
const TOLD = `select pg_catalog.json_build_array(pg_catalog.pg_backend_pid(), ${asked.join(', ')})::pg_catalog.text`;

/** @param process what the target said in BackendKeyData */
export const annotationsOf = (annotations: NonNullable<Target['annotations']>, process: number): LookQuestion => ({
  text: TOLD,
  answered: (value) => {
    const expected = [process, ...ANNOTATIONS.map((name) => Buffer.from(annotations[name]).toString('hex'))];
    return value !== undefined && isEqual(value, expected) ? {} : { unfit: UNTOLD };
  },
});

function isEqual(value: string, expected: readonly (string | number)[]): boolean {
  try {
    return JSON.stringify(JSON.parse(value)) === JSON.stringify(expected);
  } catch {
    return false;
  }
}

const UNTOLD: NonNullable<Looked['unfit']> = {
  message: 'The target does not know who has this session, which it has to be told here (annotate).',
  hint: 'A pooler between the gateway and the server keeps that from it: an administrator has the connection lead to the server itself.',
};
