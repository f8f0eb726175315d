#!/usr/bin/env bash
# Tells the whole story: the same 1000 events under each way to run them, then why.
#
#   ./run.sh                    both, one after the other
#   ./run.sh compare [FLAG...]  the table; flags go to compare: --jobs=300 --format=markdown
#   ./run.sh explain [FLAG...]  the reason; flags go to compare explain
#
# INSIGHT_DATABASE_URL=postgresql://... uses a database of yours: its tables are made anew.
set -euo pipefail
cd "$(dirname "$0")"
case ${1:-} in
'' | compare | explain) ;;
*) echo "run.sh: $1: give compare or explain, or nothing for both" >&2 && exit 2 ;;
esac
./setup.sh >&2
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
export INSIGHT_DATABASE_URL=${INSIGHT_DATABASE_URL:-sqlite:///$temporary/insight.db}
.venv/bin/python -m insight create
go build -o "$temporary/compare" ../../cmd/compare

jobs=(--workload=py:insight.tasks:record_event --payload=events.jsonl --python=.venv/bin/python --path=.)
models=(
	"forkperjob"                      # Redash as it was
	"forkperjob(warm)"                # its fix: --warm in the worker, before it forks
	"hybrid(warm=)"                   # one parent for all workers, cold
	"hybrid"                          # the same, warm
	"hybrid(warm=,refork=20)"         # warm without being told what to warm
	"hybrid(warm=,jobs-per-child=10)" # cold, the price shared by ten jobs
	"prefork(max-jobs-per-child=100)" # by a hundred
	"prefork"                         # by all that its process will ever run
)
if [ "${1:-compare}" = compare ]; then
	"$temporary/compare" --model="$(IFS=, && echo "${models[*]}")" --warm=sqlalchemy.orm:configure_mappers \
		--jobs=1000 "${jobs[@]}" "${@:2}"
fi
if [ "${1:-explain}" = explain ]; then # without a hint
	"$temporary/compare" explain "${jobs[@]}" "${@:2}"
fi
