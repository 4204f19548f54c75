#!/bin/sh
# sh tools/check.sh: every check that is not a test, each run to its end; prints the names of those that failed.
set -u

bin=.venv/bin
typed=$(ls -d src tests tools benchmarks examples 2>/dev/null)
failed=

run() {
  name=$1
  shift
  printf '== %s\n' "$name"
  "$@" || failed="$failed $name"
}

run format $bin/ruff format --check --quiet .
run lint $bin/ruff check --quiet .
# shellcheck disable=SC2086 # a word each, on purpose
run types $bin/mypy $typed
run imports $bin/lint-imports --no-logo
run dependencies $bin/deptry src
run locks $bin/python -m tools.check_locks
run prices $bin/python -m tools.check_prices
run docs $bin/python -m tools.check_docs
run tree $bin/python -m tools.check_tree
run secrets $bin/python -m tools.check_secrets

if [ -n "$failed" ]; then
  printf 'Failed:%s\n' "$failed" >&2
  exit 1
fi
echo 'All checks passed.'
