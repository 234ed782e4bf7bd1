#!/bin/sh
# Makes a virtual environment and installs into it: make-venv.sh FOLDER [ARGUMENT OF PIP INSTALL]...
# Uses uv when it can be had and pip otherwise. An environment that is there is kept.
set -eu

folder=$1
shift
scripts=$(dirname "$0")
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1

if ! "$folder/bin/python" -c "" >/dev/null 2>&1; then
    rm -rf "$folder"
    python=$("$scripts/find-python.sh" ${VERSION:-})
    echo "Making $folder with $python"
    "$python" -m venv "$folder"
fi

pip="$folder/bin/python -m pip"
[ -x "$folder/bin/uv" ] || $pip install --quiet uv 2>/dev/null || true
if [ -x "$folder/bin/uv" ]; then
    # What a network lost once is asked for once more.
    "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" "$@" ||
        exec "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" "$@"
    exit
fi
echo "uv cannot be had; going on with pip." >&2
$pip install --quiet --upgrade "pip>=25.1" # knows dependency groups
exec $pip install --quiet "$@"
