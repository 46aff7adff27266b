#!/bin/sh
# The agent leaves its bots running when it ends; a container would then kill them, and their orders stay open.
# So, when the agent has ended: SIGTERM to each bot, which cancels its orders, and wait until all are gone.
# Usage: agent-entrypoint.sh STATE_FOLDER COMMAND [ARGUMENTS...]
set -u
state=$1
shift

"$@" &
agent=$!
trap 'kill -TERM "$agent" 2>/dev/null' TERM INT
code=0
while kill -0 "$agent" 2>/dev/null; do
  wait "$agent"
  code=$?
done

bots() { # process ids that the agent wrote down and that live
  for pid in $(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$state"/bots/*/bot.json 2>/dev/null); do
    grep -qs '^python' "/proc/$pid/comm" && echo "$pid"
  done
}

for pid in $(bots); do kill -TERM "$pid" 2>/dev/null; done
while [ -n "$(bots)" ]; do sleep 0.2; done
exit "$code"
