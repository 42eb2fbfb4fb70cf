#!/usr/bin/env bash
# Runs a program of an unpacked image as kubelet would under the restricted Pod Security Standard:
# uid and gid 65532 (or RUN_AS=UID:GID), no other groups, no capability, no new privileges, read-only root, processes of
# its own (the program is number 1). The network is the machine's. Needs root.
# Usage: run-image.sh ROOT VOLUME [NAME=VALUE…] -- /PROGRAM [ARGUMENT…]
# VOLUME is a folder, writable at /volume. The environment is what is given here, and nothing else.
set -euo pipefail

export RUN_AS=${RUN_AS:-65532:65532}
root=$1
mkdir -p "$root/volume"
touch "$root/etc/hosts" "$root/etc/resolv.conf"

# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --pid --ipc --uts --fork -- bash -c '
  set -euo pipefail
  root=$1
  volume=$2
  shift 2
  env=()
  while [ "$1" != -- ]; do env+=("$1"); shift; done
  program=$2
  shift 2

  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
  mount -t tmpfs -o nosuid,noexec,mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  for file in hosts resolv.conf; do mount --bind "/etc/$file" "$root/etc/$file"; done
  mount --bind "$volume" "$root/volume"
  mount -o remount,bind,ro,nosuid,nodev "$root"

  capsh=$(command -v capsh)
  exec env -i "${env[@]}" "$capsh" --drop=all --chroot="$root" --no-new-privs \
    --gid="${RUN_AS#*:}" --groups= --uid="${RUN_AS%:*}" --shell="$program" -- "$@"
' run-image "$@"
