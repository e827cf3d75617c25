# Makes the cluster and the database at the first start, then becomes the server.
set -eu
data=/var/lib/postgresql/data
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
chown postgres:postgres "$data"
if [ ! -s "$data/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password && chmod 644 /tmp/password
  as initdb -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 -E UTF8 > /dev/null
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
  mkdir -p /tmp/init && chown postgres:postgres /tmp/init
  as pg_ctl -D "$data" -w -o "-c listen_addresses='' -c unix_socket_directories=/tmp/init" start > /dev/null
  as createdb -h /tmp/init -U "$POSTGRES_USER" "$POSTGRES_DB"
  as pg_ctl -D "$data" -w stop > /dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups \
  postgres -D "$data" -c "listen_addresses=*" -c unix_socket_directories=/tmp
