#!/bin/sh
# sh tools/venv.sh serve|dev: makes .venv and installs the locked packages, unless exactly these are in it already.
set -eu
. tools/python.sh

case ${1-} in
  serve) locks='requirements.txt requirements-build.txt' ;;
  dev) locks='requirements-dev.txt' ;;
  *) echo 'usage: sh tools/venv.sh serve|dev' >&2; exit 2 ;;
esac
python=.venv/bin/python
kept=.venv/installed # copies of what was installed, compared byte by byte

usable() {
  "$python" -c '' 2>/dev/null || return 1
  # The scripts inside name the folder they were made in: a copy or a moved clone needs its own.
  [ ! -f "$kept/folder" ] || [ "$(cat "$kept/folder")" = "$(pwd -P)" ]
}

installed() {
  for file in $locks pyproject.toml; do
    cmp -s "$file" "$kept/$file" || return 1
  done
}

if ! usable; then
  found=${PYTHON:-$(pythons | best_python)}
  if [ -z "$found" ]; then
    echo 'OneFlow needs Python 3.11 or newer with its venv module (Debian, Ubuntu: apt-get install python3-venv); none was found.' >&2
    exit 1
  fi
  echo "Making .venv of $found" >&2
  rm -rf .venv
  "$found" -m venv .venv
fi

if ! installed; then
  echo "Installing $locks into .venv" >&2
  rm -rf "$kept"
  "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null
  wanted=
  for lock in $locks; do wanted="$wanted -r $lock"; done
  # shellcheck disable=SC2086 # one word each, on purpose
  "$python" -m pip install -qq --disable-pip-version-check --require-hashes $wanted
  "$python" -m pip install -qq --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
  mkdir "$kept"
  # The development lock holds the other two (tools/check_locks.py), so it counts as all three.
  if [ "$1" = dev ]; then locks=$(ls requirements*.txt); fi
  # shellcheck disable=SC2086
  cp $locks pyproject.toml "$kept/"
  pwd -P >"$kept/folder"
fi
