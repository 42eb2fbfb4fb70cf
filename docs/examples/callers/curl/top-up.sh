#!/bin/sh
# Tops a wallet up through the sidecar. Usage: top-up.sh [http://localhost:7380 | /path/of/the.sock]
set -eu
base=${1:-http://localhost:7380}
case $base in
  /*) socket="--unix-socket $base" base=http://localhost ;;
  *) socket= ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sends it, and the very same again while nothing reached Presto. Fails where nobody knows what became of it.
# --noproxy: whatever http_proxy says. 25 s: longer than PRESTO_TIMEOUT. No --retry: that looks at no outcome.
send() {
  for left in 4 3 2 1 0; do
    curl -sS --noproxy '*' $socket --connect-timeout 2 --max-time 25 -D "$work/head" -o "$work/body" \
      -H 'Content-Type: application/json' -d "$2" "$base/api/institutions/v1/wallet$1" || return 1
    [ "$left" -gt 0 ] && [ "$(field Presto-Outcome)" = not-sent ] && grep -q '"retryable":true' "$work/body" || return 0
    seconds=$(field Retry-After)
    sleep "${seconds:-1}"
  done
}

status() { head -n 1 "$work/head" | cut -d ' ' -f 2; }
field() { tr -d '\r' <"$work/head" | awk -F ': ' -v name="$1" 'tolower($1) == tolower(name) { print $2 }'; }
# What is known of the transaction: beside Presto's answer, or in the sidecar's own document.
told() {
  if [ "$(field Content-Type)" != application/problem+json ]; then field Presto-Transaction; return; fi
  sed -n 's/.*"transaction":{[^}]*"status":"\([^"]*\)".*/\1/p' "$work/body"
}

if ! send /init '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}' ||
  [ "$(status)" != 200 ]; then
  echo "no transaction: nothing has moved" >&2
  exit 1
fi
reference=$(sed -n 's/.*"transaction_reference": *"\([^"]*\)".*/\1/p' "$work/body") # keep it, then confirm

# What became of the confirm: paid, refused, not-sent, or ask.
end=ask
if send /confirm "{\"transaction_reference\":\"$reference\"}"; then
  case "$(field Presto-Outcome) $(told) $(status)" in
    *" completed "* | "answered  2"*) end=paid ;;
    "answered  4"*) end=refused ;;
    *" 409") ;;
    "not-sent "*) end=not-sent ;;
  esac
fi
echo "$end $reference"
