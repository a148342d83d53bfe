#!/usr/bin/env bash
# Runs a command beside a RabbitMQ of its own: tests/rabbitmq.sh make test
#
# The command finds the address in MM_SOAP_TEST_RABBITMQ, and in MM_SOAP_TEST_RABBITMQ_START a program that starts the
# broker again after a test has killed it; its process id is in the file beside that. Everything lies in a temporary
# folder, listens on this machine alone, with a name and ports of its own, and is stopped and removed when the command
# has ended, well or not. It needs Debian's package rabbitmq-server.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: tests/rabbitmq.sh COMMAND [ARGUMENT ...]" >&2; exit 2; }

programs=/usr/lib/rabbitmq/bin
if [ ! -x "$programs/rabbitmq-server" ]; then
  echo "RabbitMQ is not installed: apt-get install rabbitmq-server" >&2
  exit 1
fi

folder=$(mktemp -d /tmp/mm-soap-rabbitmq.XXXXXX)
free_ports() {
  python3 - <<'PYTHON'
import socket
sockets = [socket.socket() for _ in range(3)]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))
PYTHON
}
read -r port distribution names < <(free_ports)
cat >"$folder/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$port
log.file.level = error
log.console = false
CONF
echo '[].' >"$folder/plugins"
cat >"$folder/environment" <<ENVIRONMENT
export HOME=$folder
export ERL_EPMD_PORT=$names ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_NODENAME=mm-soap-$port@localhost RABBITMQ_NODE_PORT=$port RABBITMQ_DIST_PORT=$distribution
export RABBITMQ_MNESIA_BASE=$folder/data RABBITMQ_LOG_BASE=$folder/log RABBITMQ_PID_FILE=$folder/pid
export RABBITMQ_CONFIG_FILE=$folder/rabbitmq RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins
export RABBITMQ_GENERATED_CONFIG_DIR=$folder/generated RABBITMQ_SCHEMA_DIR=$folder/schema
export RABBITMQ_ADVANCED_CONFIG_FILE=$folder/none RABBITMQ_FEATURE_FLAGS_FILE=$folder/features
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2"
ENVIRONMENT
cat >"$folder/start" <<START
#!/usr/bin/env bash
# Starts the broker and waits until it answers.
. $folder/environment
rm -f $folder/pid
setsid $programs/rabbitmq-server >>$folder/messages 2>&1 </dev/null &
for _ in \$(seq 600); do
  if [ -s $folder/pid ] && (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; then exit 0; fi
  sleep 0.1
done
cat $folder/messages >&2
echo "RabbitMQ did not start" >&2
exit 1
START
chmod +x "$folder/start"

stop() {
  [ -s "$folder/pid" ] && kill -KILL "$(cat "$folder/pid")" 2>/dev/null
  # The names of Erlang's nodes have a server of their own; this one knows ours alone.
  (
    . "$folder/environment"
    for _ in $(seq 50); do  # it stays while it knows one
      epmd -kill 2>/dev/null | grep -q Killed && break
      sleep 0.1
    done
  ) || true
  rm -rf "$folder"
}
trap stop EXIT
"$folder/start"

export MM_SOAP_TEST_RABBITMQ="amqp://guest:guest@127.0.0.1:$port//" MM_SOAP_TEST_RABBITMQ_START="$folder/start"
echo "RabbitMQ: started on port $port, for this run alone" >&2
"$@"
