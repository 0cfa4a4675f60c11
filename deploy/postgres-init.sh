#!/bin/sh
# The PostgreSQL image runs this once, in an empty database: roles, databases and rights as in
# pairs_platform/processes/runtime/postgres_server.py. Passwords come from files.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 <<'SQL'
\set owner `cat /run/secrets/database_owner_password`
\set app `cat /run/secrets/database_password`
\set mlflow `cat /run/secrets/mlflow_password`
\set dagster `cat /run/secrets/dagster_password`
CREATE ROLE trading_owner LOGIN PASSWORD :'owner';
CREATE ROLE trading_app LOGIN PASSWORD :'app';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE dagster LOGIN PASSWORD :'dagster';
CREATE DATABASE trading_system OWNER trading_owner;
CREATE DATABASE mlflow_db OWNER mlflow;
CREATE DATABASE dagster OWNER dagster;
GRANT CONNECT ON DATABASE trading_system TO trading_app;
REVOKE ALL ON DATABASE trading_system FROM PUBLIC;
REVOKE ALL ON DATABASE mlflow_db FROM PUBLIC;
REVOKE ALL ON DATABASE dagster FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
SQL
