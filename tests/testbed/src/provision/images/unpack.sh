# Imports the images of an OCI layout into a containerd root that nobody uses yet.
#
#   sh -c UNPACK unpack LAYOUT ROOT
#
# Runs in mount and process namespaces of its own: what is mounted and started ends with it.
set -e
layout=$1
root=$2

mount -t tmpfs tmpfs /run
socket=/run/containerd.sock
cat >/run/containerd.toml <<END
version = 2
root = "$root"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$socket"
END
containerd --config /run/containerd.toml &
server=$!
until ctr --address "$socket" version >/dev/null 2>&1; do
    kill -s 0 "$server"
    sleep 0.1
done
tar --create --directory "$layout" . | ctr --address "$socket" --namespace k8s.io images import -
ctr --address "$socket" --namespace k8s.io images list
kill "$server"
wait "$server" || true
