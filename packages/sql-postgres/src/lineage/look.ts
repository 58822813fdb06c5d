/**
 * A look at a session through its own connection: what its names mean, and what it keeps. Lives here: the question, and
 * what the answer changes in a `Session`. Does not: when it is asked, and who sends it (the protocol).
 */
import type { Catalog } from '../catalog/catalog.js';
import { VERSION } from '../catalog/queries.js';
import type { TemporaryRelation } from './effects.js';
import type { SessionNames } from './session.js';
import { splitSearchPath } from './settings.js';
import { typeTag } from './types.js';
import { type Column, NOTHING, withUnknown } from './value.js';

/** What a session says of itself. */
export interface SessionReport {
  /** The process of the server, and when it started, in seconds since 1970; null where the role may not see that. */
  readonly process: number;
  readonly started: number | null;
  /** As SHOW search_path has it. */
  readonly path: string;
  readonly role: string;
  /** SESSION_USER. */
  readonly user: string;
  /**
   * What `catalogVersion` says in an open transaction that has written something, which may have been definitions that
   * others do not see; null in any other.
   */
  readonly version: string | null;
  readonly relations: readonly {
    readonly name: string;
    /** As in pg_class.relkind. */
    readonly kind: string;
    /** A table by itself, without triggers and rules. */
    readonly plain: boolean;
    /** Name, identifier of the type, whether it is generated. */
    readonly columns: readonly (readonly [string, number, boolean])[];
  }[];
  /** Prepared statements by the protocol: name, and SHA-256 of the text in hexadecimal digits. */
  readonly statements: readonly (readonly [string, string])[];
}

/**
 * One statement with one value, which `readLook` reads. All names are qualified, because objects of the session come before
 * those of pg_catalog; it reads catalogs only, so that it does not fail where nothing else does. Its answer is in digits: a name may
 * have characters that the client's encoding has not.
 *
 * @param open whether a transaction is open: then the version of the catalog is asked for as well, which is some work
 */
export const lookText = (open: boolean): string => (open ? LOOK_INSIDE : LOOK);

const ask = (version: string): string =>
  `select pg_catalog.encode(pg_catalog.convert_to(pg_catalog.json_build_object('process', pg_catalog.pg_backend_pid(), 'started',
    (select pg_catalog."extract"('epoch', a.backend_start) from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a),
  'path', pg_catalog.current_setting('search_path'), 'role', current_user, 'user', session_user,
  'version', ${version},
  'relations', (select pg_catalog.json_agg(pg_catalog.json_build_object('name', c.relname, 'kind', c.relkind,
      'plain', c.relkind operator(pg_catalog.=) 'r' and not c.relhassubclass and not c.relhasrules and not c.relhastriggers
        and not exists (select from pg_catalog.pg_inherits i where i.inhrelid operator(pg_catalog.=) c.oid),
      'columns', (select pg_catalog.json_agg(
          pg_catalog.json_build_array(a.attname, a.atttypid::pg_catalog.int8, a.attgenerated operator(pg_catalog.<>) '') order by a.attnum)
        from pg_catalog.pg_attribute a where a.attrelid operator(pg_catalog.=) c.oid
          and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped)))
    from pg_catalog.pg_class c where c.relnamespace operator(pg_catalog.=) pg_catalog.pg_my_temp_schema()
      and c.relkind operator(pg_catalog.=) any ('{r,p,f,v,m,S}'::pg_catalog."char"[])),
  'statements', (select pg_catalog.json_agg(pg_catalog.json_build_array(p.name, pg_catalog.encode(
      pg_catalog.sha256(pg_catalog.convert_to(p.statement, 'UTF8')), 'hex')))
    from pg_catalog.pg_prepared_statements p where not p.from_sql))::pg_catalog.text, 'UTF8'), 'hex')`.replaceAll(
    /\s+/g,
    ' ',
  );
const LOOK = ask('null');
const LOOK_INSIDE = ask(`case when pg_catalog.pg_current_xact_id_if_assigned() is not null then (${VERSION}) end`);

/** @param text the value that the statement returned. @returns undefined where it is none of a look */
export function readLook(text: string): SessionReport | undefined {
  let told: Partial<SessionReport>;
  try {
    told = JSON.parse(Buffer.from(text, 'hex').toString('utf8')) as Partial<SessionReport>;
  } catch {
    return undefined;
  }
  const { relations, statements, ...look } = told;
  const { process = 0, started = null, path = '', role = '', user = '', version = '' } = look;
  return {
    process,
    started,
    path,
    role,
    user,
    version,
    relations: (relations ?? []).map((one) => ({ ...one, columns: one.columns ?? [] })),
    statements: statements ?? [],
  };
}

/**
 * The session once the target has said what its names mean. What code may have written to stays unknown.
 *
 * @param catalog as others see it: where the session sees another one, code has defined something, and nothing is known
 */
export function afterLook(session: SessionNames, look: SessionReport, catalog: Catalog): SessionNames {
  const { anyPath, ...followed } = session;
  const { uncertain, ...overlay } = session.overlay;
  // Code that nobody read has set SESSION AUTHORIZATION; a pooler may log in as somebody else.
  if (look.user !== session.user && anyPath === undefined) return session;
  if (uncertain !== undefined && look.version !== null && look.version !== catalog.version) return session;
  const reason = overlay.unread ?? uncertain ?? 'reads a temporary table that nobody saw being made';
  const relations = new Map<string, TemporaryRelation>();
  for (const one of look.relations) {
    const known = overlay.relations.get(one.name);
    relations.set(one.name, known && known.written === undefined ? known : written(one, known, reason, catalog));
  }
  const searchPath = splitSearchPath(look.path);
  const role = look.role === look.user ? undefined : look.role;
  // A path that the session began with is none that the code made up. In a transaction it may be local, and give way to another.
  const isInitial =
    overlay.saved.length === 0 && JSON.stringify(searchPath) === JSON.stringify(session.initial.searchPath);
  const stored = isInitial ? new Map([...overlay.stored, ['search_path', NOTHING]]) : overlay.stored;
  return { ...followed, searchPath, role, user: look.user, overlay: { ...overlay, relations, stored } };
}

function written(
  { name, kind, plain, columns }: SessionReport['relations'][number],
  known: TemporaryRelation | undefined,
  reason: string,
  catalog: Catalog,
): TemporaryRelation {
  return {
    name,
    columns: columns.map((column) => columnOf(column, catalog)),
    dropOnCommit: known?.dropOnCommit ?? false,
    view: kind === 'v',
    written: known?.written ?? reason,
    plain,
    ...(kind === 'S' && { sequence: true }),
  };
}

function columnOf(
  [name, oid, generated]: SessionReport['relations'][number]['columns'][number],
  catalog: Catalog,
): Column {
  const { type: _, ...untyped } = NOTHING;
  const type = typeTag({ catalog }, oid);
  const value = type === undefined ? untyped : { ...untyped, type };
  return {
    name,
    value: withUnknown(value, generated ? 'reads a generated column of a temporary table' : undefined),
  };
}
