#!/usr/bin/env bash
# Boots the Debian that lies in a folder, with systemd as its first process, as systemd-nspawn does: processes, mounts
# and control groups of its own; the network is the machine's. Ends when it is shut down or killed. Needs root.
# Usage: boot-host.sh ROOT
set -euo pipefail

root=$1
mkdir -p "$root/checkout"
# A control group of its own in version 2's tree, wherever this machine has that mounted, is the root of all that it makes.
tree=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET)
group=$tree/presto-host-$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"

# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --pid --cgroup --ipc --uts --fork --kill-child bash -c '
  set -euo pipefail
  root=$1
  mount --make-rprivate /
  mount --rbind "$root" "$root"
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
  mkdir -p "$root/sys/fs/cgroup"
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
  mount -t tmpfs -o nosuid,nodev tmpfs "$root/tmp"
  mount --bind -o ro "$PWD" "$root/checkout"
  mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
  cd "$root"
  mkdir -p run/old
  pivot_root . run/old
  umount --lazy /run/old
  # systemd does so itself where it is not in a container; credentials come to their units that way.
  mount --make-rshared /
  exec env -i container=presto-host PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/lib/systemd/systemd --unit=multi-user.target --show-status=no --log-target=console
' boot-host "$root"
