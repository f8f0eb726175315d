#!/usr/bin/env bash
# Makes .venv here, with what the application needs: SQLAlchemy, as pinned in requirements.txt.
# Quick where it is there already.
set -euo pipefail
cd "$(dirname "$0")"
if cmp -s requirements.txt .venv/requirements.txt && .venv/bin/python -c '' 2>/dev/null; then
	exit
fi
python=${PYTHON:-python3}
"$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 9))' || {
	echo "setup.sh: $python is not a Python 3.9 or newer with its venv module: name another with PYTHON=..." >&2
	exit 3
}
echo "setup.sh: making examples/redash/.venv with $("$python" --version)"
"$python" -m venv --clear .venv
.venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.txt
# Last, so that an interrupted installation is made again.
cp requirements.txt .venv/requirements.txt
