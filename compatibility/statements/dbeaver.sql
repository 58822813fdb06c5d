-- DBeaver: what it reads when a connection is opened and its tree unfolded, a table's properties and data.
SET extra_float_digits = 3;;
SET application_name = 'DBeaver 24.2.0 - Main <postgres>';;
SELECT current_schema(),session_user;;
SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass WHERE n.nspname !~ '^pg_(temp|toast)' ORDER BY nspname;;
SELECT typcategory FROM pg_catalog.pg_type WHERE 1<>1 LIMIT 1;;
SELECT setting FROM pg_catalog.pg_settings WHERE name='standard_conforming_strings';;
SELECT t.oid,t.typname,t.typtype,t.typcategory,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND t.typnamespace = 'public'::regnamespace ORDER BY t.typname;;
-- parameters: ["public"]
SELECT c.oid,c.relname,c.relkind,c.relowner,c.relhasindex,c.relpersistence,d.description, pg_get_expr(c.relpartbound, c.oid) as partition_expr, pg_get_partkeydef(c.oid) as partition_key
FROM pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid=c.relnamespace
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass
WHERE n.nspname=$1 AND c.relkind not in ('i','I','c') AND c.relname = 'people';;
SELECT c.relname,a.attname,a.attnum,a.attnotnull,a.atttypid,a.atttypmod,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid is not null as has_sequence
FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.oid='public.people'::regclass ORDER BY a.attnum;;
SELECT c.oid::regclass::text,con.conname,con.contype,con.conkey,pg_catalog.pg_get_constraintdef(con.oid, true) as definition FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_class c ON c.oid=con.conrelid WHERE c.relnamespace='public'::regnamespace ORDER BY con.conname;;
SELECT i.indexrelid::regclass::text,i.indkey::text,i.indisunique,i.indisprimary,pg_catalog.pg_get_indexdef(i.indexrelid) AS def,am.amname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid LEFT OUTER JOIN pg_catalog.pg_am am ON am.oid=c.relam WHERE i.indrelid='public.orders'::regclass ORDER BY 1;;
SELECT pg_catalog.pg_total_relation_size('public.people'::regclass) as total_size, pg_catalog.pg_relation_size('public.people'::regclass) as rel_size;;
select s.datid,s.datname,s.pid,s.backend_start from pg_catalog.pg_stat_activity s where s.pid = pg_backend_pid();;
SELECT x.* FROM public.people x ORDER BY x.id;;
SELECT x.id,x.email FROM public.people x WHERE x.name = 'Ada';;
SELECT count(*) FROM public.people;;
select relname, n_live_tup >= 0 as rows from pg_catalog.pg_stat_all_tables where schemaname = 'public' order by relname;;
EXPLAIN (FORMAT JSON, COSTS OFF) SELECT o.id FROM public.orders o WHERE o.person_id = 1;;
