#!/usr/bin/env bash
# Unpacks a software Vulkan device (Mesa's lavapipe, 25 or later; Debian 12's own 22.3 lacks what WebGPU needs) into a folder of
# this checkout and prints the variables that select it. Nothing is installed. Usage: eval "$(bash tools/webgpu/software-vulkan.sh)"
# Needs apt and dpkg (Debian 12; on newer systems `apt-get install mesa-vulkan-drivers` is enough).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mesa=$root/.cache/mesa
if [ ! -f "$mesa/lvp.json" ]; then
  [ "$(dpkg --print-architecture)" = amd64 ] || { echo "only amd64 is set up here" >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/debs" "$work/root"
  # The mirror that this machine already uses, with the backports suite; its lists stay in the temporary folder.
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null | awk '$2 == "bookworm" && $1 ~ /debian\/?$/ {print $1; exit}')
  [ -n "$mirror" ] || { echo "no Debian 12 mirror is configured; run apt-get update first" >&2; exit 1; }
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main" > "$work/sources.list"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >> "$work/sources.list"
  options=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists" -o "Dir::Cache::archives=$work/archives" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2
  cd "$work/debs"
  apt-get "${options[@]}" download mesa-vulkan-drivers/bookworm-backports libdrm2/bookworm-backports libdrm-amdgpu1/bookworm-backports libvulkan1 libllvm15 libz3-4 libwayland-client0 libxcb-dri3-0 libxcb-present0 libxcb-randr0 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxshmfence1 libx11-xcb1 libxcb1 libx11-6 libxau6 libxdmcp6 libbsd0 libmd0 libedit2 libxml2 libicu72 libelf1 libsensors5 >&2
  for deb in *.deb; do dpkg -x "$deb" "$work/root"; done
  lib=$work/root/usr/lib/x86_64-linux-gnu
  mkdir -p "$(dirname "$mesa")" "$work/mesa"
  cp -a "$lib" "$work/mesa/lib"
  printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s/lib/libvulkan_lvp.so","api_version":"1.4.0"}}\n' "$mesa" > "$work/mesa/lvp.json"
  rm -rf "$mesa"
  mv "$work/mesa" "$mesa"
fi
mkdir -p "$root/.cache/xdg" && chmod 700 "$root/.cache/xdg"
echo "export VK_ICD_FILENAMES='$mesa/lvp.json' LD_LIBRARY_PATH='$mesa/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}' XDG_RUNTIME_DIR='$root/.cache/xdg' EMOSLLM_WEBGPU=1"
