#!/usr/bin/env bash
# Fetches what test/e2e/callers.test.ts needs beside the languages: requests and httpx for Python, Spring and
# Jackson for Java, and PHP with curl where root may install it on Debian. What can't be had is said, and the
# test leaves those callers out.
# Usage: tools/ci/callers.sh
# Kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar/callers.
set -euo pipefail
cd "$(dirname "$0")/../.."

callers=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar/callers
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }; }
mkdir -p "$callers"

# Names carry the versions: another one is fetched anew, and an old one is never mistaken for it.
python=$callers/python-requests-2.34.2-httpx-0.28.1
if [ ! -e "$python/done" ] && command -v python3 >/dev/null; then
  rm -rf "$python"
  quietly python3 -m venv "$python"
  quietly "$python/bin/pip" install --disable-pip-version-check requests==2.34.2 httpx==0.28.1
  touch "$python/done"
fi

pom=docs/examples/callers/spring/pom.xml
spring=$callers/spring-$(sha256sum "$pom" | cut -c 1-16)
if [ ! -e "$spring/done" ] && command -v mvn >/dev/null; then
  rm -rf "$spring"
  quietly mvn --batch-mode --quiet --file "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$spring" -DincludeScope=runtime
  touch "$spring/done"
fi

if ! php -m 2>/dev/null | grep -qx curl && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  quietly apt-get update -qq
  DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -qq --no-install-recommends php-cli php-curl
fi

[ ! -e "$python/done" ] || ln -sfn "$python" "$callers/python"
[ ! -e "$spring/done" ] || ln -sfn "$spring" "$callers/spring"
for have in python spring; do
  [ -e "$callers/$have" ] || echo "There is no $have: its callers are not tried." >&2
done
echo "$callers"
