-- Run once, when the database of compose.yaml is made: the role that the gateway logs in as. It owns the database "app" and
-- may do nothing outside it. psql reads the password from the file, so that it is in no argument and no configuration.
\set password `cat /run/secrets/app_password`
create role app login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'password';
alter database app owner to app;
