-- PostgREST: its schema cache, and requests for rows with an embedded relation, an upsert, a count and a function.
with columns as (
  select c.oid::regclass::text as relid, a.attname::name as column_name, d.description, pg_get_expr(ad.adbin, ad.adrelid) as column_default,
    not (a.attnotnull or t.typtype = 'd' and t.typnotnull) as is_nullable,
    case when t.typtype = 'd' then case when bt.typnamespace = 'pg_catalog'::regnamespace then format_type(t.typbasetype, null) else format_type(a.atttypid, a.atttypmod) end
      else format_type(a.atttypid, a.atttypmod) end as data_type,
    a.attnum::integer as position
  from pg_attribute a
    left join pg_description d on d.objoid = a.attrelid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
    left join pg_attrdef ad on a.attrelid = ad.adrelid and a.attnum = ad.adnum
    join (pg_class c join pg_namespace nc on c.relnamespace = nc.oid) on a.attrelid = c.oid
    join pg_type t on a.atttypid = t.oid
    left join pg_type bt on t.typtype = 'd' and t.typbasetype = bt.oid
  where not pg_is_other_temp_schema(nc.oid) and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'f', 'm', 'p') and nc.nspname = any ('{public}'::text[])
), columns_agg as (
  select relid, json_object_agg(column_name, json_build_object('default', column_default, 'nullable', is_nullable, 'type', data_type) order by position) as columns from columns group by relid
), pks as (
  select r.oid::regclass::text as relid, array_agg(a.attname order by a.attname) as pk_cols
  from pg_constraint c join pg_class r on r.oid = c.conrelid join pg_attribute a on a.attrelid = r.oid and a.attnum = any (c.conkey)
  where c.contype = 'p' group by r.oid
)
select n.nspname as table_schema, c.relname as table_name, d.description as table_description, c.relkind in ('v', 'm') as is_view,
  c.relkind in ('r', 'p') or (pg_relation_is_updatable(c.oid::regclass, true) & 8) = 8 as insertable,
  coalesce(p.pk_cols, '{}') as pk_cols, coalesce(a.columns, '{}') as columns
from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_description d on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
  left join pks p on p.relid = c.oid::regclass::text left join columns_agg a on a.relid = c.oid::regclass::text
where c.relkind in ('v', 'r', 'm', 'f', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and not c.relispartition
order by table_schema, table_name;;
with pks_uniques_cols as (
  select conrelid, array_agg(key order by key) as cols from pg_constraint, unnest(conkey) as key where contype in ('p', 'u') group by oid, conrelid
)
select ns1.nspname as table_schema, tab.relname as table_name, ns2.nspname as foreign_table_schema, other.relname as foreign_table_name,
  traint.conrelid = traint.confrelid as is_self, traint.conname as constraint_name, column_info.cols_and_fcols,
  (column_info.cols in (select cols from pks_uniques_cols where conrelid = traint.conrelid)) as one_to_one
from pg_constraint traint
  join lateral (
    select array_agg(row(cols.attname, refs.attname) order by ord) as cols_and_fcols, array_agg(cols.attnum order by cols.attnum) as cols
    from unnest(traint.conkey, traint.confkey) with ordinality as _(col, ref, ord)
      join pg_attribute cols on cols.attrelid = traint.conrelid and cols.attnum = col
      join pg_attribute refs on refs.attrelid = traint.confrelid and refs.attnum = ref
  ) as column_info on true
  join pg_namespace ns1 on ns1.oid = traint.connamespace join pg_class tab on tab.oid = traint.conrelid
  join pg_class other on other.oid = traint.confrelid join pg_namespace ns2 on ns2.oid = other.relnamespace
where traint.contype = 'f' order by traint.conrelid, traint.conname;;
select pn.nspname as proc_schema, p.proname as proc_name, d.description as proc_description,
  coalesce(p.proargnames, '{}') as names, p.pronargs, p.proretset as rettype_is_setof, t.typname as rettype, p.provolatile, p.provariadic > 0 as hasvariadic
from pg_proc p join pg_namespace pn on pn.oid = p.pronamespace join pg_type t on t.oid = p.prorettype
  left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass
where t.oid <> 'trigger'::regtype and p.prokind = 'f' and pn.nspname = any ('{public}'::text[]) and p.prolang not in (select oid from pg_language where lanname = 'c')
order by 1, 2, p.pronargs, t.typname;;
select current_setting('server_version_num')::integer as server_version, current_setting('server_version') as name;;
select set_config('search_path', '"public", "public"', true), set_config('role', 'none', true), set_config('request.method', 'GET', true),
  set_config('request.path', '/people', true), set_config('request.headers', '{"accept":"*/*"}', true);;
-- parameters: ["1"]
with pgrst_source as (select "public"."people"."id", "public"."people"."name", "public"."people"."email" from "public"."people" where "public"."people"."id" >= $1 order by "public"."people"."id" asc limit 2)
select null::bigint as total_result_set, pg_catalog.count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body,
  nullif(current_setting('response.headers', true), '') as response_headers, nullif(current_setting('response.status', true), '') as response_status
from (select * from pgrst_source) _postgrest_t;;
-- parameters: []
with pgrst_source as (
  select "public"."people".*, coalesce("people_orders_1"."people_orders_1", '[]') as "orders" from "public"."people"
    left join lateral (select json_agg("people_orders_1") as "people_orders_1" from (
      select "orders_1"."id", "orders_1"."total", "orders_1"."note" from "public"."orders" as "orders_1"
      where "orders_1"."person_id" = "public"."people"."id" order by "orders_1"."id") as "people_orders_1") as "people_orders_1" on true
  order by "public"."people"."id" desc
), pgrst_source_count as (select 1 from "public"."people")
select (select pg_catalog.count(*) from pgrst_source_count) as total_result_set, pg_catalog.count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body
from (select * from pgrst_source) _postgrest_t;;
-- parameters: []
with pgrst_source as (
  select "public"."orders"."id", row_to_json("orders_people_1".*)::jsonb as "person" from "public"."orders"
    left join lateral (select "people_1"."name", "people_1"."email" from "public"."people" as "people_1" where "people_1"."id" = "public"."orders"."person_id") as "orders_people_1" on true
  where "public"."orders"."total" > '5'::unknown order by "public"."orders"."id"
)
select null::bigint as total_result_set, pg_catalog.count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body from (select * from pgrst_source) _postgrest_t;;
-- parameters: ["{\"person_id\": 2, \"total\": 3, \"note\": \"by postgrest\"}"]
with pgrst_source as (
  insert into "public"."orders" ("note", "person_id", "total")
  select pgrst_body."note", pgrst_body."person_id", pgrst_body."total"
  from (select $1::json as json_data) pgrst_payload, lateral (select "note", "person_id", "total" from json_to_record(pgrst_payload.json_data) as _("note" text, "person_id" integer, "total" numeric)) pgrst_body
  returning "public"."orders"."id", "public"."orders"."person_id", "public"."orders"."total"
)
select '' as total_result_set, pg_catalog.count(_postgrest_t) as page_total, array['id=eq.' || (select id from pgrst_source limit 1)] as header,
  coalesce(json_agg(_postgrest_t)->0, 'null') as body from (select * from pgrst_source) _postgrest_t;;
-- parameters: ["9"]
with pgrst_source as (update "public"."orders" set "total" = "pgrst_update_body"."total" from (select $1::numeric as "total") "pgrst_update_body" where "public"."orders"."id" = 3 returning "public"."orders".*)
select '' as total_result_set, pg_catalog.count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body from (select * from pgrst_source) _postgrest_t;;
