-- DataGrip: its incremental reading of the catalog, and a table in its editor.
set application_name = 'DataGrip 2024.2';;
select version(), set_config('extra_float_digits', '3', false) as digits;;
select current_database() is not null as a, current_schemas(false) as b, current_user as c;;
select N.oid::bigint > 0 as id, datname is not null as name, D.description, datistemplate as is_template, datallowconn as allow_connections from pg_catalog.pg_database N left join pg_catalog.pg_shdescription D on N.oid = D.objoid where N.datname = current_database();;
select N.oid::bigint > 0 as id, N.nspname as name, D.description, pg_catalog.pg_get_userbyid(N.nspowner) as "owner" from pg_catalog.pg_namespace N left join pg_catalog.pg_description D on N.oid = D.objoid where N.nspname !~ '^pg_(temp|toast)' order by case when nspname = pg_catalog.current_schema() then -1::bigint else N.oid::bigint end;;
select R.rolname as role_name, R.rolsuper is_super, R.rolinherit is_inherit, R.rolcreaterole can_createrole, R.rolvaliduntil valid_until, R.rolconfig config, D.description from pg_catalog.pg_roles R left join pg_catalog.pg_shdescription D on D.objoid = R.oid where R.rolname !~ '^pg_' order by 1;;
select T.relkind as table_kind, T.relname as table_name, pg_catalog.pg_get_userbyid(T.relowner) as "owner", T.relpersistence, T.relispartition,
  pg_catalog.array_to_string(T.reloptions, ' , ') as options, (select pg_catalog.array_agg(inhparent::bigint order by inhseqno)::varchar from pg_catalog.pg_inherits where T.oid = inhrelid) as ancestors
from pg_catalog.pg_class T where relnamespace = 'public'::regnamespace and relkind in ('r', 'm', 'v', 'f', 'p') order by table_kind, table_name;;
with schema_procs as (select prorettype, proargtypes, proallargtypes from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace),
  schema_opers as (select oprleft, oprright, oprresult from pg_catalog.pg_operator where oprnamespace = 'public'::regnamespace),
  schema_arg_types as (select prorettype as type_id from schema_procs union select distinct unnest(proargtypes) from schema_procs union select oprleft from schema_opers where oprleft is not null)
select count(type_id) > 0 as some from schema_arg_types where type_id <> 0;;
with T as (select T.oid as table_id, T.relname as table_name from pg_catalog.pg_class T where T.relnamespace = 'public'::regnamespace and T.relkind in ('r', 'm', 'v', 'f', 'p'))
select T.table_name, C.attnum as column_position, C.attname as column_name, C.atttypmod as type_mod, C.attndims as dimensions_number, pg_catalog.format_type(C.atttypid, C.atttypmod) as type_spec,
  C.attnotnull as mandatory, pg_catalog.pg_get_expr(D.adbin, T.table_id) as column_default_expression, C.attidentity as identity_kind, C.attgenerated as generated
from T join pg_catalog.pg_attribute C on T.table_id = C.attrelid left join pg_catalog.pg_attrdef D on (C.attrelid, C.attnum) = (D.adrelid, D.adnum)
where attnum > 0 and not attisdropped order by table_name, attnum;;
select T.relname, C.conname, C.contype::char con_kind, C.conkey, C.confkey, C.confdeltype, pg_catalog.pg_get_expr(conbin, T.oid) as con_expression from pg_catalog.pg_class T join pg_catalog.pg_constraint C on T.oid = C.conrelid where T.relnamespace = 'public'::regnamespace order by 1, 2;;
select T.relname as view_name, pg_catalog.pg_get_viewdef(T.oid, true) as source_text from pg_catalog.pg_class T where T.relnamespace = 'public'::regnamespace and T.relkind in ('m', 'v') order by 1;;
select PC.proname, pg_catalog.pg_get_functiondef(PC.oid) is not null as source from pg_catalog.pg_proc PC where PC.pronamespace = 'public'::regnamespace and PC.prokind <> 'a' order by PC.proname, PC.oid limit 5;;
select E.extname, E.extversion, N.nspname, D.description is null as none from pg_catalog.pg_extension E join pg_namespace N on E.extnamespace = N.oid left join pg_catalog.pg_description D on E.oid = D.objoid order by 1;;
select objsubid, description from pg_catalog.pg_description where classoid = 'pg_catalog.pg_class'::regclass and objoid = 'public.people'::regclass;;
SELECT t.* FROM public.people t ORDER BY t.id LIMIT 501;;
SELECT COUNT(*) FROM public.people;;
SELECT id, name, email, pg_typeof(name) FROM public.people t WHERE name LIKE 'B%';;
