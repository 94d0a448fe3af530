#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node in a folder of this checkout against the TensorFlow library of the Python package, since tfjs-node's own
# installer downloads another one from a host that is often not reachable; and prints the variables that select it. Nothing is installed.
# Usage: eval "$(bash tools/tfjs/build-node.sh [cpu|gpu])". Needs Linux x64, npm, python3 with pip, g++ and Node's headers; 1 GB (gpu: 6 GB).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
kind=${1:-cpu}
case $kind in
  cpu) package=@tensorflow/tfjs-node wheel=tensorflow-cpu ;;
  # TensorFlow's own package for CUDA 12; [and-cuda] brings NVIDIA's libraries as packages of their own.
  gpu) package=@tensorflow/tfjs-node-gpu wheel='tensorflow[and-cuda]' ;;
  *) echo "usage: build-node.sh [cpu|gpu], not '$kind'" >&2; exit 2 ;;
esac
version=4.22.0 tensorflow=2.15.1
built=$root/.cache/tfjs-$kind
if [ ! -f "$built/complete" ]; then
  [ "$(uname -sm)" = "Linux x86_64" ] || { echo "only Linux x64 is set up here; elsewhere: npm install $package" >&2; exit 1; }
  for command in npm python3 g++; do command -v "$command" >/dev/null || { echo "$command is missing; on Debian: apt-get install npm python3-pip g++" >&2; exit 1; }; done
  headers=$(node -p 'path.resolve(process.execPath, "../../include/node")')
  [ -f "$headers/node_api.h" ] || { echo "Node's headers are not in $headers; on Debian: apt-get install libnode-dev" >&2; exit 1; }
  mkdir -p "$root/.cache"
  work=$(mktemp -d "$root/.cache/tfjs-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo '{ "private": true }' > "$work/package.json"
  (cd "$work" && npm install "$package@$version" --ignore-scripts --no-audit --no-fund >&2)
  # Not for the interpreter at hand: only the libraries inside are used.
  dependencies=--no-deps; [ "$kind" = gpu ] && dependencies=
  python3 -m pip download $dependencies --python-version 3.11 --only-binary=:all: --quiet --dest "$work/wheels" "$wheel==$tensorflow" >&2
  python3 - "$work" <<'PY' >&2
import glob, re, sys, zipfile
work = sys.argv[1]
keep = re.compile(r"tensorflow/(libtensorflow_(cc|framework)\.so\.2$|include/(tensorflow|tsl)/)|nvidia/.*/lib/")
for wheel in glob.glob(work + "/wheels/*.whl"):
    with zipfile.ZipFile(wheel) as z:
        z.extractall(work + "/tf", [n for n in z.namelist() if keep.match(n)])
PY
  rm -rf "$work/wheels"
  module=$work/node_modules/$package
  mkdir -p "$module/deps/lib" "$module/lib/napi-v8"
  ln -s "../../../../tf/tensorflow/include" "$module/deps/include"
  for name in cc framework; do mv "$work/tf/tensorflow/libtensorflow_$name.so.2" "$module/deps/lib/"; done
  ln -s libtensorflow_cc.so.2 "$module/deps/lib/libtensorflow.so"
  ln -s libtensorflow_framework.so.2 "$module/deps/lib/libtensorflow_framework.so"
  # What node-gyp would run for one version of Node's stable interface, without the download of headers.
  (cd "$module" && g++ -O2 -std=c++17 -shared -fPIC -w -DNAPI_VERSION=8 -DNODE_GYP_MODULE_NAME=tfjs_binding -DBUILDING_NODE_EXTENSION \
    -I.. -Ideps/include -I"$headers" binding/tfjs_backend.cc binding/tfjs_binding.cc -o lib/napi-v8/tfjs_binding.node \
    -Ldeps/lib -ltensorflow -ltensorflow_framework -Wl,-rpath,'$ORIGIN/../../deps/lib' >&2)
  touch "$work/complete"
  rm -rf "$built"
  mv "$work" "$built"
  chmod 755 "$built"
fi
libraries=$(find "$built/tf/nvidia" -type d -name lib 2>/dev/null | paste -sd: - || true)
echo "export NODE_PATH='$built/node_modules${NODE_PATH:+:$NODE_PATH}' EMOSLLM_TFJS=tfjs-$([ "$kind" = gpu ] && echo gpu || echo node)${libraries:+ LD_LIBRARY_PATH='$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}'}"
