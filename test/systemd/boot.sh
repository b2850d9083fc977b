#!/bin/sh
# Becomes a machine of its own: the system's /usr, nothing else of it, and systemd as process 1. Started in fresh mount,
# process, cgroup, UTS and IPC namespaces; what it mounts goes with them.
#
#   boot.sh <empty directory> <what is /usr/local> <Node.js> <host name>
#
# What systemd could change for the real machine is read-only (/proc/sys, /sys) or switched off.
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 vipd-machine "$1"
cd "$1"
mkdir -p usr etc/systemd/system var/lib var/log/journal run tmp proc sys dev root home opt old
for link in bin sbin lib lib64; do
  [ ! -e "/$link" ] || ln -s "usr/$link" "$link"
done
mount --bind /usr usr
mount -o remount,bind,ro usr
mount --bind "$2" usr/local
mount --bind "$3" usr/local/bin/node

cp /etc/ld.so.cache etc/
echo 'root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin' >etc/passwd
echo 'root:x:0:
nogroup:x:65534:' >etc/group
echo 'passwd: files
group: files
shadow: files' >etc/nsswitch.conf
echo "$4" >etc/hostname
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
for unit in sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
  modprobe@.service systemd-modules-load.service systemd-sysctl.service systemd-udevd.service dbus.socket; do
  ln -s /dev/null "etc/systemd/system/$unit"
done

mount -t proc proc proc
for part in sys sysrq-trigger irq bus; do
  [ ! -e "proc/$part" ] || { mount --bind "proc/$part" "proc/$part" && mount -o remount,bind,ro "proc/$part"; }
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for node in null zero full random urandom tty; do
  touch "dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs shm dev/shm
for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
  ln -s "${link#*:}" "dev/${link%%:*}"
done
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp

hostname "$4"
pivot_root . old
umount -l /old
export container=vipd-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
exec /usr/lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
