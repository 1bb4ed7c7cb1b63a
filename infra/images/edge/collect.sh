#!/bin/sh
# collect.sh NODE ROOT: makes a root file system that holds Node.js and the libraries it is linked with, and nothing else.
set -eu

node=$1
root=$2

umask 022
mkdir -p "$root/bin" "$root/etc" "$root/app"
mkdir -p -m 1777 "$root/tmp"
cp "$node" "$root/bin/node"

# Lines of ldd: `name => /path (0x…)`, and the loader's own `/path (0x…)`.
ldd "$node" | grep -o '/[^ ]*' | sort -u | while read -r library; do
  mkdir -p "$root${library%/*}"
  cp -L "$library" "$root$library"
done

# Since glibc 2.34 the name services `files` and `dns` are part of libc itself.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'edge:x:65532:65532:edge:/app:/sbin/nologin' >"$root/etc/passwd"
echo 'edge:x:65532:' >"$root/etc/group"

# The copy must run as it stands; a library that is missing shows here, not in production.
chroot "$root" /bin/node -e 'require("node:dns").lookup("127.0.0.1", (error) => process.exit(error ? 1 : 0))'
