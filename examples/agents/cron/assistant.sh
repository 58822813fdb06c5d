#!/bin/sh
# What cron runs on a VM: the assistant of ../openai-agents, once, as whoever the token in TOKEN_FILE is. Its answer goes to where cron sends mail.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${TOKEN_FILE:=/etc/assistant/token}" "${AGENT:=$here/../openai-agents/agent.mjs}"
# A token that others can read is nobody's: sluice token create --principal assistant --connections ... --ttl 90d
[ "$(stat -c %a "$TOKEN_FILE")" = 600 ] || { echo "$TOKEN_FILE can be read by others: chmod 600 it" >&2; exit 1; }
SLUICE_TOKEN=$(cat "$TOKEN_FILE")
export SLUICE_TOKEN
# One at a time, and none for ever.
exec flock -n "$TOKEN_FILE" timeout 600 node "$AGENT" "${1:-Which orders are late, and is the disk of the machine full?}"
