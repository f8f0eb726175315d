#!/usr/bin/env bash
# Tests deps.sh on machines that lack things. PATH holds stand-ins only, so
# nothing is installed: a stand-in for a package manager notes how it was called
# and puts what was asked for on PATH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0

# machine COMMAND...: a machine with these, as root unless $user says otherwise.
machine() {
	rm -rf "${tmp:?}"/*
	mkdir -p "$tmp/bin" "$tmp/repo/scripts" "$tmp/repo/web"
	cp "$here/deps.sh" "$tmp/repo/scripts/"
	echo 'mypy==1' >"$tmp/repo/requirements-dev.txt"
	echo 'uplot 1' >"$tmp/repo/web/package-lock.json"
	local tool
	for tool in bash cat cmp cp dirname env ln mkdir; do
		ln -s "$(command -v "$tool")" "$tmp/bin/$tool"
	done
	printf '#!/bin/bash\necho %s\n' "${user:-0}" >"$tmp/bin/id"
	cat >"$tmp/sudo" <<-EOF
		#!/bin/bash
		echo "sudo \$1" >>$tmp/log
		exec "\$@"
	EOF
	cat >"$tmp/manager" <<-EOF
		#!/bin/bash
		echo "\${0##*/} \$*\${DEBIAN_FRONTEND:+ (\$DEBIAN_FRONTEND)}" >>$tmp/log
		[[ " $broken " != *" \${!#} "* ]] || exit 1
		[ -z "$hollow" ] || exit 0
		for name in \$*; do
			case \$name in
			redis* | valkey) ln -sf $tmp/python3 $tmp/bin/redis-server ;;
			python3 | python) ln -sf $tmp/python3 $tmp/bin/python3 ;;
			nodejs | node) ln -sf $tmp/npm $tmp/bin/node && ln -sf $tmp/npm $tmp/bin/npm ;;
			chromium) ln -sf $tmp/npm $tmp/bin/chromium ;;
			esac
		done
	EOF
	cat >"$tmp/python3" <<-EOF
		#!/bin/bash
		case "\$*" in
		--version) echo Python 3.99 ;;
		'-m venv --clear .venv') mkdir -p .venv/bin && ln -sf $tmp/python3 .venv/bin/python && echo venv >>$tmp/log ;;
		-m\ pip*) echo pip >>$tmp/log ;;
		esac
	EOF
	cat >"$tmp/npm" <<-EOF
		#!/bin/bash
		case "\$*" in
		-e*) [ -z "$old_node" ] ;;
		ci*) mkdir node_modules && echo npm >>$tmp/log ;;
		esac
	EOF
	chmod +x "$tmp"/bin/id "$tmp"/{sudo,manager,python3,npm}
	for tool in "$@"; do
		case $tool in
		node | npm | chromium) ln -s "$tmp/npm" "$tmp/bin/$tool" ;;
		web) # all that the pages' tests need
			ln -s "$tmp/npm" "$tmp/bin/node" && ln -s "$tmp/npm" "$tmp/bin/npm" && ln -s "$tmp/npm" "$tmp/bin/chromium"
			mkdir "$tmp/repo/web/node_modules" && cp "$tmp/repo/web/package-lock.json" "$tmp/repo/web/node_modules/.installed"
			;;
		python3 | redis-server | valkey-server) ln -s "$tmp/python3" "$tmp/bin/$tool" ;;
		sudo) ln -s "$tmp/sudo" "$tmp/bin/sudo" ;;
		*) ln -s "$tmp/manager" "$tmp/bin/$tool" ;;
		esac
	done
}

# expect NAME CODE OUTPUT LOG: runs deps.sh; OUTPUT is a part of what it must say.
expect() {
	local code=0 output
	output=$(env -i PATH="$tmp/bin" "$BASH" "$tmp/repo/scripts/deps.sh" 2>&1) || code=$?
	touch "$tmp/log"
	if [ "$code" != "$2" ] || [[ $output != *"$3"* ]] || [ "$(cat "$tmp/log")" != "$4" ]; then
		printf 'deps_test: %s: exit code %s, want %s\nIt said:\n%s\nwant in it:\n%s\nIt ran:\n%s\nwant:\n%s\n' \
			"$1" "$code" "$2" "$output" "$3" "$(cat "$tmp/log")" "$4" >&2
		exit 1
	fi
	passed=$((passed + 1))
	rm "$tmp/log"
}

# What the package managers here fail to do, by the last word; and whether their
# packages are empty.
broken='' hollow='' old_node=''
machine web python3 redis-server apt-get
expect 'fresh venv' 0 'deps: making .venv from requirements-dev.txt with Python 3.99' $'venv\npip'
expect 'all there' 0 '' ''
[ -z "$(env -i PATH="$tmp/bin" "$BASH" "$tmp/repo/scripts/deps.sh" 2>&1)" ] || { echo 'deps_test: not silent where all is there' >&2 && exit 1; }
echo 'mypy==2' >"$tmp/repo/requirements-dev.txt"
expect 'new requirements' 0 'making .venv' $'venv\npip'
rm "$tmp/repo/.venv/bin/python"
expect 'the Python of the venv is gone' 0 'making .venv' $'venv\npip'

machine web python3 valkey-server
expect 'valkey will do' 0 'making .venv' $'venv\npip'

machine web python3 apt-get
expect 'Debian without Redis' 0 'deps: no redis-server: installing redis-server with apt-get' \
	$'apt-get update\napt-get install -y --no-install-recommends redis-server (noninteractive)\nvenv\npip'
machine web redis-server apt-get
expect 'Debian without Python' 0 'installing python3 python3-venv with apt-get' \
	$'apt-get update\napt-get install -y --no-install-recommends python3 python3-venv (noninteractive)\nvenv\npip'
user=1000 machine web python3 apt-get sudo
expect 'a user with sudo' 0 'installing redis-server' \
	$'sudo apt-get\napt-get update\nsudo env\napt-get install -y --no-install-recommends redis-server (noninteractive)\nvenv\npip'
user=1000 machine web python3 apt-get
expect 'a user without sudo' 1 'neither root nor sudo to install it: have an administrator run: env' ''
user=1000 machine web python3 brew
expect 'Homebrew' 0 'installing redis with brew' $'brew install redis\nvenv\npip'
machine web apk
expect 'Alpine with nothing' 0 'installing python3 with apk' $'apk add redis\napk add python3\nvenv\npip'
machine web python3 pacman
expect 'Arch' 0 'installing valkey' $'pacman -Sy --noconfirm --needed valkey\nvenv\npip'
machine web python3 zypper
expect 'openSUSE' 0 'installing redis' $'zypper --non-interactive install redis\nvenv\npip'
machine web python3
expect 'no package manager' 1 'no redis-server, and no package manager known here' ''

machine python3 redis-server apt-get
expect 'Debian without node and chromium' 0 'deps: no chromium: installing chromium with apt-get' \
	$'apt-get update\napt-get install -y --no-install-recommends nodejs npm (noninteractive)\napt-get update\napt-get install -y --no-install-recommends chromium (noninteractive)\nvenv\npip\nnpm'
expect 'all there, node and chromium' 0 '' ''
echo 'uplot 2' >"$tmp/repo/web/package-lock.json"
rm -r "$tmp/repo/web/node_modules"
expect 'a new lock file' 0 'installing web/package-lock.json' 'npm'
old_node=yes machine web python3 redis-server apt-get
expect 'a node that is too old' 1 'is older than 18 or has no npm' \
	$'apt-get update\napt-get install -y --no-install-recommends nodejs npm (noninteractive)'

broken='redis'
machine web python3 dnf
expect 'Fedora with Valkey only' 0 'installing redis with dnf' $'dnf install -y redis\ndnf install -y valkey\nvenv\npip'
broken='update'
machine web python3 apt-get
expect 'a package list that cannot be renewed' 0 'apt-get update failed; trying all the same' \
	$'apt-get update\napt-get install -y --no-install-recommends redis-server (noninteractive)\nvenv\npip'
broken='redis-server'
machine web python3 apt-get
expect 'a failing installation' 1 'this failed: ' \
	$'apt-get update\napt-get install -y --no-install-recommends redis-server (noninteractive)'
broken='' hollow=yes
machine web python3 apk
expect 'a package without the server' 1 'neither redis-server nor valkey-server is on PATH' 'apk add redis'

echo "deps_test: $passed passed, 0 failed"
