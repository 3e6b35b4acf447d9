#!/bin/bash
# A small network in anonymous namespaces: hosts on bridges br0 and br1, avahi-daemons on hosts, commands from stdin.
# Started by lab.ts as `unshare -mn --pid --fork --kill-child --mount-proc bash lab.sh FOLDER` (with -Ur if not root); ending
# that process removes everything. Each line of stdin is run here; then "lab: <exit status>" is printed.
# What programs under test print to descriptor 3 goes to the test unmixed.
set -u
D=$1 # an empty folder; lab.ts removes it
declare -A NS

# host NAME NUMBER: a namespace with eth0 = 10.77.0.NUMBER on br0. No default route, as on an isolated gateway.
host() {
  unshare -n sleep infinity 3>&- &
  NS[$1]=$!
  until [ "$(readlink "/proc/${NS[$1]}/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep .01; done
  on "$1" ip link set lo up
  attach "$1" eth0 br0 "10.77.0.$2"
  on "$1" ip route add 224.0.0.0/4 dev eth0
}

# attach NAME INTERFACE BRIDGE [ADDRESS]: one more leg; IPv6 without waiting for duplicate address detection
attach() {
  ip link add "v-$1-$2" type veth peer name "$2" netns "${NS[$1]}"
  ip link set "v-$1-$2" master "$3" up
  on "$1" sh -c "echo 0 > /proc/sys/net/ipv6/conf/$2/accept_dad" 2>/dev/null
  if [ -n "${4:-}" ]; then on "$1" ip addr add "$4/24" dev "$2"; fi
  on "$1" ip link set "$2" up
}

# attach_bare NAME INTERFACE BRIDGE: one more leg that is up and has no address, not even one of its own making
attach_bare() {
  ip link add "v-$1-$2" type veth peer name "$2" netns "${NS[$1]}"
  ip link set "v-$1-$2" master "$3" up
  on "$1" ip link set "$2" addrgenmode none
  on "$1" ip link set "$2" up
}

# on NAME COMMAND…: runs it in the network of that host
on() {
  local h=$1
  shift
  nsenter -t "${NS[$h]}" -n -- "$@"
}

# on_exec: the same for `on_exec NAME COMMAND… &`, so that $! is the command itself; and with the host's own /sys
on_exec() {
  local h=$1
  shift
  exec nsenter -t "${NS[$h]}" -n -- unshare -m --propagation private \
    sh -c 'mount -t sysfs sysfs /sys && exec "$@"' sh "$@"
}

# avahi_start NAME [SERVER-LINE…]: returns when it has its host name
avahi_start() {
  local h=$1 d=$D/$1
  shift
  mkdir -p "$d/services"
  rm -f "$d/log"
  # Without root only one user exists here: avahi must find itself to be that one.
  sed -E 's/^avahi:x:[0-9]+:[0-9]+:/avahi:x:0:0:/' /etc/passwd > "$d/passwd"
  sed -E 's/^(avahi|netdev):x:[0-9]+:/\1:x:0:/' /etc/group > "$d/group"
  cat > "$d/bus.conf" <<-BUS
	<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
	<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>
	BUS
  printf '%s\n' '[server]' "host-name=$h" deny-interfaces=lo "$@" \
    '[wide-area]' enable-wide-area=no '[publish]' publish-hinfo=no publish-workstation=no publish-aaaa-on-ipv4=no > "$d/conf"
  nsenter -t "${NS[$h]}" -n -- unshare -m --propagation private bash -c 'd=$1
    mount --bind $d/passwd /etc/passwd; mount --bind $d/group /etc/group; mount --bind $d/services /etc/avahi/services
    mount -t tmpfs none /run; mkdir -p /run/dbus /run/avahi-daemon
    dbus-daemon --config-file=$d/bus.conf --fork --nopidfile --print-pid > $d/dbus.pid
    exec avahi-daemon -f $d/conf --no-drop-root --no-chroot --no-rlimits --no-proc-title > $d/log 2>&1' _ "$d" 3>&- &
  echo $! > "$d/pid" # every step execs, so this is avahi-daemon
  disown             # bash shall not report how it ended
  for _ in $(seq 1000); do
    grep -q 'startup complete' "$d/log" 2>/dev/null && return
    sleep .01
  done
  cat "$d/log"
  return 1
}

# avahi_stop NAME [SIGNAL]
avahi_stop() {
  local pid
  pid=$(cat "$D/$1/pid")
  kill "-${2:-TERM}" "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep .01; done
  kill "$(cat "$D/$1/dbus.pid")"
}

# svc HOST FILE NAME TYPE PORT TXT…: publish, or change what FILE publishes. unsvc HOST FILE: withdraw.
# Each file gets a second of its own as its time: avahi does not see a change within the same second.
file_time=$(date +%s)
svc() {
  local f=$D/$1/services/$2.service t='' x
  for x in "${@:6}"; do t="$t<txt-record>$x</txt-record>"; done
  printf '<?xml version="1.0"?><!DOCTYPE service-group SYSTEM "avahi-service.dtd"><service-group><name>%s</name><service><type>%s</type><port>%s</port>%s</service></service-group>' \
    "$3" "$4" "$5" "$t" > "$f.tmp"
  touch -d "@$((file_time += 1))" "$f.tmp"
  mv "$f.tmp" "$f"
}
unsvc() { rm "$D/$1/services/$2.service"; }

ip link set lo up
for b in br0 br1; do
  ip link add "$b" type bridge mcast_snooping 0
  ip link set "$b" up
done
echo "lab: 0"
while IFS= read -r line; do
  eval "$line"
  echo "lab: $?"
done
