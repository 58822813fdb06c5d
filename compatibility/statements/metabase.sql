-- Metabase: its reading of a database, fingerprints of columns, and questions.
select version();;
show timezone;;
SELECT n.nspname AS "schema", c.relname AS "name", CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' END AS "type",
  d.description AS "description" FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
  LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = n.oid AND n.nspname !~ '^information_schema|catalog_history|pg_' AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY type ASC, schema ASC, name ASC;;
with table_privileges as (
  select NULL as role, t.schemaname as schema, t.objectname as table,
    pg_catalog.has_any_column_privilege(current_user, '"' || t.schemaname || '"' || '.' || '"' || t.objectname || '"', 'update') as update,
    pg_catalog.has_any_column_privilege(current_user, '"' || t.schemaname || '"' || '.' || '"' || t.objectname || '"', 'select') as select
  from (select schemaname, tablename as objectname from pg_catalog.pg_tables union select schemaname, viewname from pg_catalog.pg_views union select schemaname, matviewname from pg_catalog.pg_matviews) t
  where t.schemaname !~ '^pg_' and t.schemaname <> 'information_schema' and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')
) select t.* from table_privileges t order by 2, 3;;
SELECT c.column_name AS name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) ELSE format('"%s"."%s"', c.udt_schema, c.udt_name) END AS "database-type",
  c.ordinal_position - 1 AS "database-position", c.table_schema AS "table-schema", c.table_name AS "table-name", pk.column_name IS NOT NULL AS "pk?",
  COL_DESCRIPTION(CAST(CAST(FORMAT('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS "field-comment",
  ((column_default IS NULL OR LOWER(column_default) = 'null') AND is_nullable = 'NO' AND NOT ((column_default IS NOT NULL AND column_default LIKE '%nextval(%') OR is_identity <> 'NO')) AS "database-required"
FROM information_schema.columns AS c LEFT JOIN (
  SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc
    INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
  WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('public') ORDER BY "table-schema" ASC, "table-name" ASC, "database-position" ASC;;
SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name", pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name"
FROM pg_constraint AS c INNER JOIN pg_class AS fk_table ON c.conrelid = fk_table.oid INNER JOIN pg_namespace AS fk_ns ON c.connamespace = fk_ns.oid
  INNER JOIN pg_attribute AS fk_column ON c.conrelid = fk_column.attrelid INNER JOIN pg_class AS pk_table ON c.confrelid = pk_table.oid
  INNER JOIN pg_namespace AS pk_ns ON pk_table.relnamespace = pk_ns.oid INNER JOIN pg_attribute AS pk_column ON c.confrelid = pk_column.attrelid
WHERE c.contype = 'f'::char AND fk_column.attnum = ANY(c.conkey) AND pk_column.attnum = ANY(c.confkey) AND fk_ns.nspname !~ '^information_schema|catalog_history|pg_' ORDER BY 1, 2, 3;;
SELECT "public"."people"."id" AS "id", SUBSTRING("public"."people"."name", 1, 1234) AS "substring1", SUBSTRING("public"."people"."name", 1, 1234) AS "substring2" FROM "public"."people" ORDER BY 1 LIMIT 10000;;
SELECT "public"."people"."id" AS "id", "public"."people"."name" AS "name", "public"."people"."email" AS "email" FROM "public"."people" ORDER BY "public"."people"."id" ASC LIMIT 2000;;
SELECT count(distinct "public"."people"."name") AS "count", min("public"."orders"."note") AS "min", max("public"."orders"."total") AS "max" FROM "public"."people" INNER JOIN "public"."orders" ON "public"."orders"."person_id" = "public"."people"."id";;
SELECT "People"."name" AS "People__name", SUM("public"."orders"."total") AS "sum", COUNT(*) AS "count" FROM "public"."orders" LEFT JOIN "public"."people" AS "People" ON "public"."orders"."person_id" = "People"."id"
WHERE ("public"."orders"."total" > 1) AND (lower("People"."name") LIKE '%a%') GROUP BY "People"."name" ORDER BY "sum" DESC, "People"."name" ASC;;
SELECT DATE_TRUNC('month', timestamptz '2024-05-06 07:08:09+00') AS "month", FLOOR(("public"."orders"."total" / 10.0)) * 10.0 AS "total", COUNT(*) AS "count" FROM "public"."orders" GROUP BY 1, 2 ORDER BY 1, 2;;
SELECT "source"."id", "source"."Short" FROM (SELECT "public"."people"."id" AS "id", REPLACE(UPPER("public"."people"."name"), 'A', 'a') AS "Short" FROM "public"."people") AS "source" WHERE "source"."Short" <> 'BOB' ORDER BY 1 LIMIT 2000;;
