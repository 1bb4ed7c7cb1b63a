#!/bin/sh
# First process of an instance. Runs as root, before anything of a sandbox is there: gives the instance's own uid a name and its places,
# puts together what programs trust, then becomes the agent.
set -eu

uid=${BULKHEAD_USER_UID:?is not set}
gid=${BULKHEAD_USER_GID:?is not set}
processes=${BULKHEAD_USER_PROCESSES:?is not set}
case "$processes" in
*[!0-9]* | 0*)
  echo "BULKHEAD_USER_PROCESSES must be a number other than 0" >&2
  exit 64
  ;;
esac
case "$uid:$gid" in
*[!0-9:]* | 0:* | *:0 | :* | *:)
  echo "BULKHEAD_USER_UID and BULKHEAD_USER_GID must be numbers other than 0" >&2
  exit 64
  ;;
esac

umask 022
run=/run/bulkhead
mkdir -p "$run/etc"
cat >"$run/etc/passwd" <<END
root:x:0:0:agent:/nonexistent:/usr/sbin/nologin
user:x:$uid:$gid:user:/workspace:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
cat >"$run/etc/group" <<END
root:x:0:
user:x:$gid:
nogroup:x:65534:
END

# What programs trust: the image's authorities and the deployment's own, where it has one.
rm -rf "$run/etc/certs"
cp -a /opt/bulkhead/certs "$run/etc/certs"
if [ -n "${BULKHEAD_CA_PEM:-}" ]; then
  certs=$run/etc/certs
  printf '%s\n' "$BULKHEAD_CA_PEM" >"$certs/bulkhead-egress.pem"
  hash=$(openssl x509 -noout -subject_hash -in "$certs/bulkhead-egress.pem" 2>/dev/null) || {
    echo "BULKHEAD_CA_PEM is not a certificate" >&2
    exit 64
  }
  openssl x509 -in "$certs/bulkhead-egress.pem" >>"$certs/ca-certificates.crt"
  ln -s bulkhead-egress.pem "$certs/$hash.0"
  export BULKHEAD_CA_FILE=/etc/ssl/certs/bulkhead-egress.pem
fi

# Scratch volumes may come as root's own, whatever the image says.
chmod 0755 "$run" "$run/etc"
chmod 1777 /tmp
chown "$uid:$gid" /home/user
chmod 0700 /home/user

# What Fargate cannot be told, and what user code inherits: no program gives it other rights than its own, it holds no capability and
# gets none back, it starts so many processes (counted by its uid; root is not held to it) and leaves no core dumps.
exec /usr/bin/setpriv --no-new-privs --inh-caps=-chown,-dac_override,-fowner,-kill,-setgid,-setuid -- \
  /usr/bin/prlimit --nproc="$processes" --core=0 -- \
  /opt/bulkhead/bin/node /opt/bulkhead/agent.cjs
