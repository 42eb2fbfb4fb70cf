# Sets `storage`, buildah's options for the container storage in FOLDER, and `driver`. To be sourced.
# Usage: . image-storage.sh FOLDER
# vfs works everywhere, and copies a whole image for each layer; where the kernel can lay one over another, it does.
_try=$(mktemp -d "$1/overlay.XXXXXX")
mkdir "$_try"/{lower,upper,work,merged}
driver=vfs
if mount -t overlay overlay -o "lowerdir=$_try/lower,upperdir=$_try/upper,workdir=$_try/work" "$_try/merged" 2>/dev/null; then
  umount "$_try/merged"
  driver=overlay
fi
rm -rf "$_try"
# shellcheck disable=SC2034 # for whoever sources it
storage=(--storage-driver "$driver" --root "$1/$driver" --runroot "$1/run-$driver")
