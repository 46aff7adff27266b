#!/bin/sh
# The agent leaves its bots running when it ends; a container would then kill them, and their orders stay open.
# So, when the agent has ended: SIGTERM to each bot, which cancels its orders, and wait until all are gone.
# Usage: agent-entrypoint.sh STATE_FOLDER COMMAND [ARGUMENTS...]
set -u
state=$1
shift

agent=
signalled=
trap 'signalled=yes; [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null' TERM INT
"$@" &
agent=$!
[ -z "$signalled" ] || kill -TERM "$agent"

wait "$agent"
code=$?
# A signal ends the wait before it ends the agent; waiting for an agent that was reaped already gives 127.
while [ -n "$signalled" ]; do
  signalled=
  wait "$agent"
  last=$?
  [ "$last" -eq 127 ] || code=$last
done

bots() { # process ids that the agent recorded and that are alive
  for pid in $(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$state"/bots/*/bot.json 2>/dev/null); do
    grep -qs '^python' "/proc/$pid/comm" && echo "$pid"
  done
}

for pid in $(bots); do kill -TERM "$pid" 2>/dev/null; done
while [ -n "$(bots)" ]; do sleep 0.2; done
exit "$code"
