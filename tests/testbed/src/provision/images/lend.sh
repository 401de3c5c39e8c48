# Lends the images of a containerd root to another, in whose mount namespace this runs.
#
#   sh -c LEND lend FROM TO
#
# Unpacked layers have tens of thousands of files, and even links to them take seconds to make and to remove. So they are mounted,
# and read-only, lest somebody who removes an image from one node removes it from all.
set -e
from=$1
to=$2
layers=io.containerd.snapshotter.v1.overlayfs/snapshots

mkdir -p "$to/$layers"
cd "$from"
for part in *; do
    [ "$part" = "${layers%/*}" ] || cp --archive --link "$part" "$to"
done
for layer in "$layers"/*; do
    mkdir "$to/$layer"
    mount --bind -o ro "$layer" "$to/$layer"
done
find . -path "./$layers" -prune -o -name '*.db' -exec cp --remove-destination {} "$to"/{} \;
