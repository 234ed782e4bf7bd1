#!/bin/sh
# Prints the path of a Python that can carry this project: PYTHON if it is set, else the newest of
# 3.14 ... 3.11 that really runs and has venv, on PATH, in pyenv's versions folder, then python3.
# With a version as argument ("find-python.sh 3.12") it looks for that one only.
set -eu

runs() {
    "$1" -c "
import sys, venv, ensurepip
wanted = '$2'
fits = '%d.%d' % sys.version_info[:2] == wanted if wanted else sys.version_info >= (3, 11)
sys.exit(0 if fits else 1)" >/dev/null 2>&1
}

found() {
    "$1" -c "import sys; print(sys.executable)"
    exit 0
}

if [ -n "${PYTHON:-}" ] && [ -z "${1:-}" ]; then
    runs "$PYTHON" "" && found "$PYTHON"
    echo "PYTHON=$PYTHON does not run, is older than 3.11, or has no venv." >&2
    exit 1
fi

for version in ${1:-3.14 3.13 3.12 3.11}; do
    if runs "python$version" "$version"; then found "python$version"; fi
    for python in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
        if runs "$python" "$version"; then found "$python"; fi
    done
done

if [ -z "${1:-}" ] && runs python3 ""; then found python3; fi

echo "No Python ${1:-3.11 or newer} with venv was found. Install one, or say where it is: make PYTHON=/path/to/python" >&2
exit 1
