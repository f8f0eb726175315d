#!/usr/bin/env bash
# fuzz.sh PACKAGES: runs each of their fuzz tests for FUZZTIME (10s), one after
# another. The inputs that earlier runs found are seeds of the ordinary tests.
set -euo pipefail
go=${GO:-go}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE NAME
fuzz() {
	echo "== $1 $2"
	"$go" test -run='^$' -fuzz="^$2\$" -fuzztime="${FUZZTIME:-10s}" -fuzzminimizetime=1x "$1" </dev/null 2>&1 | tee "$log" && return
	# Before Go 1.27 the end of the time may be reported as a failure
	# (go.dev/issue/75804). A real one names its input.
	grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written' "$log"
}

listing=$("$go" test -list '^Fuzz' "$@")
names=() found=0
while read -r word package _; do
	case $word in
	Fuzz*) names+=("$word") ;;
	ok) # closes the names of one package
		for name in ${names[@]+"${names[@]}"}; do
			fuzz "$package" "$name"
			found=$((found + 1))
		done
		names=()
		;;
	esac
done <<<"$listing"
[ "$found" -gt 0 ] || {
	echo "fuzz: no fuzz test in $*" >&2
	exit 1
}
