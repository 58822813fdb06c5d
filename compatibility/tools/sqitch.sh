#!/bin/sh
# Sqitch: deploy with verify, log, revert and deploy again.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export SQITCH_FULLNAME=dev SQITCH_EMAIL=dev@shop.test SQITCH_USER_CONFIG="$folder/none" SQITCH_SYSTEM_CONFIG="$folder/none"
target="db:pg://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE"
sqitch --quiet init shop --engine pg --target "$target" >/dev/null
sqitch add -n 'rooms' rooms >/dev/null
sqitch add -n 'people have rooms' --requires rooms people_rooms >/dev/null
cat > deploy/rooms.sql <<'SQL'
begin;
create table rooms (id serial primary key, name text not null unique);
insert into rooms (name) values ('red'), ('blue');
commit;
SQL
echo 'begin; drop table rooms; commit;' > revert/rooms.sql
echo 'select id, name from rooms where false;' > verify/rooms.sql
cat > deploy/people_rooms.sql <<'SQL'
begin;
alter table people add room_id int references rooms;
update people set room_id = 1 + id % 2;
alter table people alter room_id set not null;
create view room_of as select p.id, p.email, r.name from people p join rooms r on r.id = p.room_id;
commit;
SQL
echo 'begin; drop view room_of; alter table people drop column room_id; commit;' > revert/people_rooms.sql
echo 'select id, email, name from room_of where false; select 1/count(*) from people where room_id is not null;' > verify/people_rooms.sql
say() { printf '{"what":"%s","value":"%s"}\n' "$1" "$(printf %s "$2" | sed 's/ *$//' | grep -vE 'Date|Committed|Planned|Deployed:|^# By|^#$|[0-9a-f]{40}' | tr '\n"' '|_')"; }
say deploy "$(sqitch deploy --verify --target "$target" 2>&1 | sed "s|$target||; s|db:pg:.*||")"
say log "$(sqitch log --target "$target" --format format:'%e %n' 2>&1 | grep -v '^On database')"
say revert "$(sqitch revert -y --target "$target" 2>&1 | sed 's|db:pg:.*||')"
say again "$(sqitch deploy --target "$target" 2>&1 | sed 's|db:pg:.*||')"
say read "$(psql -XAtc 'select id, email, name from room_of order by id')"
