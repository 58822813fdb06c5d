-- pgAdmin: what it asks at the start, its dashboard, tree, a table's properties, and data.
SET DateStyle=ISO;;
SET client_min_messages=notice;;
SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output';;
SET client_encoding='utf-8';;
SELECT version();;
SELECT db.datdba > 0 as did, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding, has_database_privilege(db.oid, 'CREATE') as cancreate, datistemplate FROM pg_catalog.pg_database db WHERE db.datname = current_database();;
SELECT roles.rolname as name, roles.rolsuper as is_superuser, CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END as can_create_role FROM pg_catalog.pg_roles as roles WHERE rolname = current_user;;
SELECT CASE WHEN usesuper THEN pg_catalog.pg_is_in_recovery() ELSE FALSE END as inrecovery, CASE WHEN usesuper AND pg_catalog.pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE FALSE END as isreplaypaused FROM pg_catalog.pg_user WHERE usename=current_user;;
SELECT 'session_stats' AS chart_name, pg_catalog.row_to_json(t) is not null AS chart_data FROM (SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database()) AS "Total", (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active' AND datname = current_database()) AS "Active") t;;
SELECT nsp.nspname as name, has_schema_privilege(nsp.oid, 'CREATE') as can_create, has_schema_privilege(nsp.oid, 'USAGE') as has_usage, des.description FROM pg_catalog.pg_namespace nsp LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid=nsp.oid AND des.classoid='pg_namespace'::regclass) WHERE nspname NOT LIKE E'pg\\_%' AND nspname <> 'information_schema' ORDER BY nspname;;
SELECT rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid=rel.oid AND tgisinternal = FALSE) AS triggercount, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid=rel.oid AND tgisinternal = FALSE AND tgenabled = 'O') AS has_enable_triggers, (CASE WHEN rel.relkind = 'p' THEN true ELSE false END) AS is_partitioned FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r','s','t','p') AND rel.relnamespace = 'public'::regnamespace AND NOT rel.relispartition ORDER BY rel.relname;;
SELECT att.attname as name, att.attnum, format_type(att.atttypid,NULL) AS typname, format_type(att.atttypid,att.atttypmod) AS displaytypname, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS defval, att.attnotnull, CASE WHEN att.attndims > 0 THEN 1 ELSE 0 END AS isarray,
  EXISTS(SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid=att.attrelid AND contype='f' AND att.attnum=ANY(conkey)) As isfk, (SELECT count(1) FROM pg_catalog.pg_type t2 WHERE t2.typname=ty.typname) > 1 AS isdup
FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid=atttypid JOIN pg_catalog.pg_class cl ON cl.oid=att.attrelid LEFT OUTER JOIN pg_catalog.pg_attrdef def ON adrelid=att.attrelid AND adnum=att.attnum
WHERE att.attrelid = 'public.people'::regclass AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum;;
SELECT ct.conname as name, pg_catalog.pg_get_constraintdef(ct.oid) as definition, nl.nspname as fknsp, cl.relname as fktab, nr.nspname as refnsp, cr.relname as reftab, ct.conkey, ct.confkey FROM pg_catalog.pg_constraint ct JOIN pg_catalog.pg_class cl ON cl.oid=ct.conrelid JOIN pg_catalog.pg_namespace nl ON nl.oid=cl.relnamespace JOIN pg_catalog.pg_class cr ON cr.oid=ct.confrelid JOIN pg_catalog.pg_namespace nr ON nr.oid=cr.relnamespace WHERE ct.contype='f' ORDER BY ct.conname;;
SELECT array_agg(provider order by provider) FROM (SELECT DISTINCT provider FROM pg_catalog.pg_seclabels) s;;
SELECT at.attname, at.attnum, ty.typname FROM pg_catalog.pg_attribute at LEFT JOIN pg_catalog.pg_type ty ON (ty.oid = at.atttypid) WHERE attrelid='public.people'::regclass AND attnum = ANY ((SELECT con.conkey FROM pg_catalog.pg_class rel LEFT OUTER JOIN pg_catalog.pg_constraint con ON con.conrelid=rel.oid AND con.contype='p' WHERE rel.relkind IN ('r','s','t','p') AND rel.oid='public.people'::regclass)::oid[]);;
BEGIN;;
SELECT * FROM public.people ORDER BY id ASC;;
COMMIT;;
SELECT id, email FROM public.people WHERE id = 2;;
UPDATE public.orders SET note = 'by pgadmin' WHERE id = 2;;
SELECT oid::regclass::text, relreplident FROM pg_catalog.pg_class WHERE oid = 'public.orders'::regclass;;
