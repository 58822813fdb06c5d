/**
 * What the target has been told of who has the session (`annotate`): asked back once the login is over. Owns: that question, and what a
 * client is told where the answer is another one. Does not: tell it (upstream.ts).
 */
import { ANNOTATIONS, type LookQuestion, type Looked, type Target } from '@sluice/contract';

const asked = ANNOTATIONS.map(
  (name) =>
    `pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting('${name}', true), pg_catalog.current_setting('server_encoding')), 'hex')`,
);
/** An UPDATE of pg_settings is a SET, and so is one of a view of it: how many of those the login may change, or a role that it can take on. */
const VIEWS = `(with recursive views (oid) as (select 'pg_catalog.pg_settings'::pg_catalog.regclass::pg_catalog.oid
    union select w.ev_class from views join pg_catalog.pg_depend d on d.refobjid operator(pg_catalog.=) views.oid
      and d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
      join pg_catalog.pg_rewrite w on w.oid operator(pg_catalog.=) d.objid
      and d.classid operator(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass)
  select pg_catalog.count(*) from views where oid operator(pg_catalog.<>) 'pg_catalog.pg_settings'::pg_catalog.regclass::pg_catalog.oid
    and exists (select from pg_catalog.pg_roles r where pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
      and pg_catalog.has_any_column_privilege(r.oid, views.oid, 'UPDATE')))`.replaceAll(/\s+/g, ' ');
/** In digits, so that no encoding matters. */
const TOLD = `select pg_catalog.json_build_array(pg_catalog.pg_backend_pid(), ${VIEWS}, ${asked.join(', ')})::pg_catalog.text`;

/** @param process what the target said in BackendKeyData */
export const annotationsOf = (annotations: NonNullable<Target['annotations']>, process: number): LookQuestion => ({
  text: TOLD,
  answered: (value) => {
    const [served, views, ...told] = answerOf(value);
    const expected = ANNOTATIONS.map((name) => Buffer.from(annotations[name]).toString('hex'));
    if (served !== process || JSON.stringify(told) !== JSON.stringify(expected)) return { unfit: UNTOLD };
    return views === 0 ? {} : { unfit: CHANGEABLE };
  },
});

function answerOf(value: string | undefined): readonly unknown[] {
  try {
    const answer: unknown = JSON.parse(value ?? '[]');
    return Array.isArray(answer) ? answer : [];
  } catch {
    return [];
  }
}

const UNTOLD: NonNullable<Looked['unfit']> = {
  message: 'The target does not know who has this session, which it has to be told here (annotate).',
  hint: 'A pooler between the gateway and the server keeps that from it: an administrator has the connection lead to the server itself.',
};
const CHANGEABLE: NonNullable<Looked['unfit']> = {
  message:
    'The target has a view of pg_settings that this login may update, and by that it could change who the target thinks has this session (annotate).',
  hint: 'An administrator of the target takes UPDATE on that view away.',
};
