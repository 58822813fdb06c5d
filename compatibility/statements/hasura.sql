-- Hasura: its reading of the catalog, and queries as it makes them of GraphQL: objects as JSON, nested by lateral joins.
select "table".table_schema, "table".table_name, pk.columns
from (select n.nspname as table_schema, c.relname as table_name, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'v', 'm', 'f', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'hdb_catalog')) "table"
  left join lateral (
    select json_agg(a.attname order by a.attnum) as columns from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = "table".oid and i.indisprimary) pk on true
order by 1, 2;;
select schema.nspname as table_schema, "table".relname as table_name,
  coalesce(json_agg(json_build_object('name', "column".attname, 'position', "column".attnum, 'type', type.typname, 'is_nullable', not "column".attnotnull,
    'description', pg_catalog.col_description("table".oid, "column".attnum)) order by "column".attnum) filter (where "column".attnum is not null), '[]') as columns
from pg_catalog.pg_class "table" join pg_catalog.pg_namespace schema on schema.oid = "table".relnamespace
  left join pg_catalog.pg_attribute "column" on "column".attrelid = "table".oid and "column".attnum > 0 and not "column".attisdropped
  left join pg_catalog.pg_type type on type.oid = "column".atttypid
where "table".relkind in ('r', 't', 'v', 'm', 'f', 'p') and schema.nspname not like 'pg_%' and schema.nspname <> 'information_schema'
group by 1, 2 order by 1, 2;;
select q.table_schema, q.table_name, q.constraint_name, min(q.ref_table) as ref_table, json_object_agg(ac.attname, afc.attname) as column_mapping
from (select ctn.nspname as table_schema, ct.relname as table_name, r.conrelid as table_id, r.conname as constraint_name, cft.relname as ref_table, r.confrelid as ref_table_id,
        unnest(r.conkey) as column_id, unnest(r.confkey) as ref_column_id
      from pg_constraint r join pg_class ct on r.conrelid = ct.oid join pg_namespace ctn on ct.relnamespace = ctn.oid join pg_class cft on r.confrelid = cft.oid
      where r.contype = 'f') q
  join pg_attribute ac on q.column_id = ac.attnum and q.table_id = ac.attrelid
  join pg_attribute afc on q.ref_column_id = afc.attnum and q.ref_table_id = afc.attrelid
group by 1, 2, 3 order by 1, 2, 3;;
select p.proname as name, n.nspname as schema, p.provolatile, t.typname as return_type, p.proretset as returns_set, to_json(coalesce(p.proargnames, array[]::text[])) as arg_names
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_type t on t.oid = p.prorettype
where n.nspname = 'public' and p.prokind = 'f' and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 1;;
-- parameters: []
SELECT coalesce(json_agg("root" ORDER BY "root.pg.id" ASC NULLS LAST), '[]') AS "root" FROM (
  SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.base"."name" AS "name", "_root.base"."email" AS "email", "_root.ar.root.orders"."orders" AS "orders") AS "_e")) AS "root", "_root.base"."id" AS "root.pg.id"
  FROM (SELECT * FROM "public"."people" WHERE ('true') ORDER BY "id" ASC NULLS LAST LIMIT 10) AS "_root.base"
  LEFT OUTER JOIN LATERAL (
    SELECT coalesce(json_agg("orders" ORDER BY "root.ar.root.orders.pg.id" ASC NULLS LAST), '[]') AS "orders" FROM (
      SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.ar.root.orders.base"."id" AS "id", "_root.ar.root.orders.base"."total" AS "total") AS "_e")) AS "orders", "_root.ar.root.orders.base"."id" AS "root.ar.root.orders.pg.id"
      FROM (SELECT * FROM "public"."orders" WHERE (("_root.base"."id") = ("person_id")) ORDER BY "id" ASC NULLS LAST) AS "_root.ar.root.orders.base"
    ) AS "_root.ar.root.orders") AS "_root.ar.root.orders" ON ('true') ORDER BY "root.pg.id" ASC NULLS LAST) AS "_root";;
-- parameters: ["2"]
SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (
  SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.or.person"."person" AS "person") AS "_e")) AS "root"
  FROM (SELECT * FROM "public"."orders" WHERE (("public"."orders"."id") = (($1)::integer))) AS "_root.base"
  LEFT OUTER JOIN LATERAL (
    SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.or.person.base"."name" AS "name", "_root.or.person.base"."email" AS "email") AS "_e")) AS "person"
    FROM (SELECT * FROM "public"."people" WHERE (("_root.base"."person_id") = ("id")) LIMIT 1) AS "_root.or.person.base") AS "_root.or.person" ON ('true')) AS "_root";;
-- parameters: []
SELECT json_build_object('aggregate', json_build_object('count', COUNT(*), 'sum', json_build_object('total', sum("total")), 'max', json_build_object('total', max("total")))) AS "root"
FROM (SELECT * FROM "public"."orders" WHERE ('true')) AS "_root.base";;
-- parameters: []
WITH "public_orders__mutation_result_alias" AS (
  INSERT INTO "public"."orders" ("person_id", "total", "note", "id") VALUES ('1', '4', 'by hasura', DEFAULT) RETURNING *, ('true')::boolean AS "check__constraint"
), "public_orders__all_columns_alias" AS (SELECT "id", "person_id", "total", "note" FROM "public_orders__mutation_result_alias")
SELECT json_build_object('affected_rows', (SELECT COUNT(*) FROM "public_orders__all_columns_alias"), 'returning', (
  SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.base"."note" AS "note") AS "_e")) AS "root"
    FROM (SELECT * FROM "public_orders__all_columns_alias" WHERE ('true')) AS "_root.base") AS "_root")) AS response,
  (SELECT coalesce(bool_and("check__constraint"), true) FROM "public_orders__mutation_result_alias") AS "check";;
