#!/usr/bin/env bash
# Gets what the tests need: python3 (3.9 or newer, with venv) and redis-server
# (or valkey-server), node (18 or newer, with npm) and chromium from the system's
# package manager where they are missing, .venv from requirements-dev.txt, and below
# it old releases (scripts/old), web/node_modules from its lock file. Says what it
# installs; silent and quick where all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null; }
have_python() { python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; }
have_redis() { have redis-server || have valkey-server; }
have_node() { have npm && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; }
have_browser() { have chromium || have chromium-headless-shell || have chromium-browser || have google-chrome; }
have_venv() { cmp -s requirements-dev.txt .venv/requirements-dev.txt && .venv/bin/python -c '' 2>/dev/null; }
fail() {
	echo "deps: $*" >&2
	exit 1
}

# packages MANAGER THING: what MANAGER calls THING.
packages() {
	case $1:$2 in
	apt-get:python) echo python3 python3-venv ;;
	pacman:python | brew:python) echo python ;;
	*:python) echo python3 ;;
	apt-get:redis) echo redis-server ;;
	apt-get:node | dnf:node | apk:node | pacman:node | zypper:node) echo nodejs npm ;;
	brew:node) echo node ;;
	*:browser) echo chromium ;;
	pacman:redis) echo valkey ;;
	*:redis) echo redis ;;
	esac
}

# install THING NAME: as root, or through sudo. Homebrew wants neither.
install() {
	local manager names command as_root=()
	for manager in apt-get dnf apk pacman zypper brew ''; do
		[ -z "$manager" ] || ! have "$manager" || break
	done
	[ -n "$manager" ] || fail "no $2, and no package manager known here: install $2, then run this again"
	read -ra names <<<"$(packages "$manager" "$1")"
	case $manager in
	apt-get) command=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${names[@]}") ;;
	dnf) command=(dnf install -y "${names[@]}") ;;
	apk) command=(apk add "${names[@]}") ;;
	pacman) command=(pacman -Sy --noconfirm --needed "${names[@]}") ;;
	zypper) command=(zypper --non-interactive install "${names[@]}") ;;
	brew) command=(brew install "${names[@]}") ;;
	esac
	if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
		have sudo || fail "no $2, and neither root nor sudo to install it: have an administrator run: ${command[*]}"
		as_root=(sudo)
	fi

	echo "deps: no $2: installing ${names[*]} with $manager"
	if [ "$manager" = apt-get ]; then
		# An old list finds nothing. Where a part of it cannot be renewed, the
		# installation decides whether that part was needed.
		"${as_root[@]}" apt-get update || echo "deps: apt-get update failed; trying all the same"
	fi
	if ! "${as_root[@]}" "${command[@]}"; then
		# Newer Fedora and RHEL have Redis under its new name only.
		[ "$manager:$1" = dnf:redis ] || fail "this failed: ${as_root[*]} ${command[*]}"
		"${as_root[@]}" dnf install -y valkey || fail "dnf could install neither redis nor valkey"
	fi
}

if ! have_redis; then
	install redis redis-server
	have_redis || fail "installed, but neither redis-server nor valkey-server is on PATH: $PATH"
fi
if ! have_node; then
	install node "node (18 or newer) with npm"
	have_node || fail "node on PATH ($(command -v node || echo none)) is older than 18 or has no npm: put another one first on PATH"
fi
if ! have_browser; then
	install browser chromium
	have_browser || fail "installed, but chromium is not on PATH: $PATH"
fi
if ! have_venv; then
	if ! have_python; then
		install python "python3 (3.9 or newer) with its venv module"
		have_python || fail "python3 on PATH ($(command -v python3 || echo none)) is older than 3.9 or has no venv module: put another one first on PATH"
	fi
	echo "deps: making .venv from requirements-dev.txt with $(python3 --version)"
	python3 -m venv --clear .venv
	.venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements-dev.txt
	# Last, so that an interrupted installation is made again.
	cp requirements-dev.txt .venv/requirements-dev.txt
fi
for old in scripts/old/*.txt; do
	[ -e "$old" ] || continue
	to=.venv/old/$(basename "$old" .txt)
	if ! cmp -s "$old" "$to/requirements.txt"; then
		echo "deps: installing $old into $to"
		.venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps --upgrade --target "$to" -r "$old"
		cp "$old" "$to/requirements.txt"
	fi
done
if ! cmp -s web/package-lock.json web/node_modules/.installed; then
	echo "deps: installing web/package-lock.json into web/node_modules"
	(cd web && npm ci --silent --no-audit --no-fund --ignore-scripts)
	cp web/package-lock.json web/node_modules/.installed
fi
