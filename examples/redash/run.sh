#!/usr/bin/env bash
# Prints the whole story: the same 1000 events under each way to run them. Further flags go to
# compare: ./run.sh --jobs=300 --rounds=5 --format=markdown. INSIGHT_DATABASE_URL=postgresql://...
# uses a server of yours; its tables are made anew.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh >&2
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
export INSIGHT_DATABASE_URL=${INSIGHT_DATABASE_URL:-sqlite:///$temporary/insight.db}
.venv/bin/python -m insight create
go build -o "$temporary/compare" ../../cmd/compare

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
"$temporary/compare" --model="$(IFS=, && echo "${models[*]}")" \
	--workload=py:insight.tasks:record_event --payload=events.jsonl --jobs=1000 \
	--python=.venv/bin/python --path=. --warm=sqlalchemy.orm:configure_mappers "$@"
