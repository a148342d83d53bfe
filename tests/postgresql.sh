#!/usr/bin/env bash
# Runs a command beside a PostgreSQL of its own: tests/postgresql.sh make test
#
# The command finds the address in MM_SOAP_TEST_POSTGRESQL, and in MM_SOAP_TEST_POSTGRESQL_START a program that starts
# the cluster again after a test has killed it, and in MM_SOAP_TEST_POSTGRESQL_LOG the file with its log. The cluster lives in a temporary folder, is reached over a Unix socket in
# it alone, and is stopped and removed when the command has ended, well or not. It needs Debian's package postgresql, or initdb and pg_ctl on the PATH. PostgreSQL does not run as root: for root it runs as the user postgres.
# POSTGRESQL_SETTINGS holds further settings for it, such as "-c shared_buffers=2GB". POSTGRESQL_HUGE_PAGES=1100 lets the
# system set so many pages of 2 MB aside meanwhile, which PostgreSQL takes where there are enough; only root may do so.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: tests/postgresql.sh COMMAND [ARGUMENT ...]" >&2; exit 2; }

programs=""  # the folder with initdb, which Debian keeps off the PATH; the newest of them
for each in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V); do
  [ -x "$each/initdb" ] && programs=$each
done
[ -n "$programs" ] || programs=$(dirname "$(command -v initdb)") 2>/dev/null || programs=""
if [ ! -x "$programs/initdb" ]; then
  echo "PostgreSQL is not installed: apt-get install postgresql" >&2
  exit 1
fi

folder=$(mktemp -d /tmp/mm-soap-postgresql.XXXXXX)  # not in TMPDIR: the path of a socket may have 107 bytes
as=()
if [ "$(id -u)" = 0 ]; then
  owner=postgres
  id -u "$owner" >/dev/null 2>&1 || owner=nobody
  chown "$owner" "$folder"
  as=(runuser -u "$owner" --)
fi

pages=/proc/sys/vm/nr_hugepages
before=""
set_aside() { (echo "$1" >"$pages") 2>/dev/null; }

stop() {
  if [ -f "$folder/data/postmaster.pid" ]; then
    (cd "$folder" && "${as[@]}" "$programs/pg_ctl" -D data -m immediate -w stop >/dev/null) || echo "PostgreSQL did not stop" >&2
  fi
  rm -rf "$folder"
  [ -z "$before" ] || set_aside "$before" || true
}
trap stop EXIT

if [ -n "${POSTGRESQL_HUGE_PAGES:-}" ]; then
  before=$(cat "$pages" 2>/dev/null || true)
  wanted=$((${before:-0} + POSTGRESQL_HUGE_PAGES))
  if ! set_aside "$wanted" || [ "$(cat "$pages")" -lt "$wanted" ]; then
    [ -z "$before" ] || set_aside "$before" || true
    echo "PostgreSQL: without huge pages, the system has none to give" >&2
  fi
fi

# Swedish order where the release has it: what relies on the order of bytes is found. Nothing here has to last: no fsync.
locale=(--locale=C.UTF-8)
[[ $("$programs/initdb" --help) = *--icu-locale* ]] && locale+=(--locale-provider=icu --icu-locale=sv-SE)
settings="-c listen_addresses= -c unix_socket_directories=$folder -c fsync=off -c max_connections=200 ${POSTGRESQL_SETTINGS:-}"
cd "$folder"
if ! { "${as[@]}" "$programs/initdb" -D data -A trust -U test -E UTF8 "${locale[@]}" &&
  "${as[@]}" "$programs/pg_ctl" -D data -l log -o "$settings" -w start; } >messages 2>&1; then
  cat messages log >&2 2>/dev/null || true
  echo "PostgreSQL did not start" >&2
  exit 1
fi
cd "$OLDPWD"

cat >"$folder/start" <<START
#!/usr/bin/env bash
# Starts the cluster again. What is left of the killed one goes within a second or two.
cd $folder
for _ in \$(seq 100); do
  ${as[*]} $programs/pg_ctl -D data -l log -o "$settings" -w start >/dev/null 2>&1 && exit 0
  sleep 0.2
done
tail -n 20 log >&2
echo "PostgreSQL did not start" >&2
exit 1
START
chmod +x "$folder/start"

export MM_SOAP_TEST_POSTGRESQL_START="$folder/start" MM_SOAP_TEST_POSTGRESQL_LOG="$folder/log"
export MM_SOAP_TEST_POSTGRESQL="postgresql://test@/postgres?host=$folder"
echo "PostgreSQL: started $("$programs/postgres" --version | grep -o '[0-9][0-9.]*' | head -n 1) of $programs in $folder, for this run alone" >&2
"$@"
