#!/usr/bin/env bash
# Makes page/assets: the script of report.html, of web/, and the simulator for it, of
# cmd/whatif. `web.sh check` makes them elsewhere and fails if those there are others.
# The Go toolchain is pinned: another one makes other bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=go1.26.8

to=page/assets
if [ "${1:-}" = check ]; then
	to=$(mktemp -d)
	trap 'rm -rf "$to"' EXIT
fi
wasm=$(mktemp)
trap 'rm -f "$wasm"; [ "$to" = page/assets ] || rm -rf "$to"' EXIT
node_to=$(realpath "$to")
(cd web && node build.mjs "$node_to")
GOOS=js GOARCH=wasm "${GO:-go}" build -trimpath -buildvcs=false -ldflags='-s -w' -o "$wasm" ./cmd/whatif

if [ "${1:-}" != check ]; then
	gzip -9nc "$wasm" >"$to/whatif.wasm.gz"
	exit
fi
# What is packed counts, not how: another gzip packs otherwise.
for file in page.js page.css; do
	cmp -s "$to/$file" "page/assets/$file" || wrong="${wrong:-} $file"
done
gzip -dc page/assets/whatif.wasm.gz | cmp -s - "$wasm" || wrong="${wrong:-} whatif.wasm.gz"
if [ -n "${wrong:-}" ]; then
	echo "web: page/assets is not what these sources make (${wrong# }): run \`make web\` and commit it" >&2
	exit 1
fi
