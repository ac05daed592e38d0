#!/usr/bin/env bash
# Make .venv in the repository root hold exactly what requirements/lock.txt names, and mmlt itself (editable).
#
#   bash tools/setup_env.sh                      # first time: minutes; unchanged: well under a second
#   PYTHON=python3.12 bash tools/setup_env.sh    # choose the interpreter (3.11, 3.12 or 3.13)
#
# A .venv that already stands is brought up to date in place. It is made anew when an install into it was interrupted,
# when its Python is gone or is not the one PYTHON asks for, or when the repository has moved.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
VENV=$ROOT/.venv
BIN=$VENV/bin
LOCK=requirements/lock.txt
STAMP=$VENV/.mmlt-stamp          # what the finished environment was made from
BUILDING=$VENV/.mmlt-building    # there while an install is under way, so also after an interrupted one

die() {
    echo "[setup] $*" >&2
    exit 1
}

# The version of an interpreter when it is one that mmlt runs on, and can make virtual environments; nothing otherwise.
supported_version() {
    "$1" -c 'import sys, ensurepip, ssl, venv
if (3, 11) <= sys.version_info < (3, 14): print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

pick_python() {
    local candidate
    if [[ -n ${PYTHON:-} ]]; then
        [[ -n $(supported_version "$PYTHON") ]] ||
            die "PYTHON=$PYTHON is not a working Python 3.11, 3.12 or 3.13 with the venv module."
        echo "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if [[ -n $(supported_version "$candidate") ]]; then
            echo "$candidate"
            return
        fi
    done
    die "No Python 3.11, 3.12 or 3.13 with the venv module was found: install one (Debian and Ubuntu:" \
        "python3 and python3-venv) or name it with PYTHON=/path/to/python3."
}

stamp_of() {    # $1: Python version
    printf 'root %s\npython %s\nsources %s\n' "$ROOT" "$1" "$(cat "$LOCK" setup.py | sha256sum | cut -d' ' -f1)"
}

# step WHAT COMMAND...: one line with the seconds taken; the command's output only when it fails.
step() {
    local what=$1 begin=$SECONDS
    shift
    if "$@" >"$LOG" 2>&1; then
        printf '[setup] %s (%d s)\n' "$what" $((SECONDS - begin))
    else
        tail -n 40 "$LOG" >&2
        echo "[setup] failed: $what" >&2
        return 1
    fi
}

pinned() {      # $1: package; prints its version in the lock file
    sed -n -E "s/^$1==([^ ;]+).*/\1/p" "$LOCK"
}

# pip may be set up for a mirror or a private certificate, which uv does not read by itself.
configure_uv() {
    local index
    export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
    if [[ -z ${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-} ]]; then
        index=${PIP_INDEX_URL:-$("$BIN/python" -m pip config get global.index-url 2>/dev/null || true)}
        if [[ -n $index ]]; then export UV_DEFAULT_INDEX=$index; fi
    fi
    if [[ -n ${PIP_CERT:-} ]]; then export SSL_CERT_FILE=${SSL_CERT_FILE:-$PIP_CERT}; fi
}

# The lock file is a complete closure, so nothing is resolved (--no-deps).
install_with_uv() {
    "$BIN/uv" pip install --python "$BIN/python" --no-deps -r "$LOCK"
}

# '===' so that a local build such as 2.12.1+cpu, offered by some --find-links, is not taken for the pinned 2.12.1.
install_with_pip() {
    sed -E 's/^([A-Za-z0-9._-]+)==/\1===/' "$LOCK" >"$LOG.lock"
    "$BIN/python" -m pip install --no-deps -r "$LOG.lock"
}

install_locked() {
    if [[ -x $BIN/uv ]] && "$BIN/uv" --version >/dev/null 2>&1; then :; else
        step "uv $(pinned uv)" "$BIN/python" -m pip install --no-deps "uv===$(pinned uv)" || {
            echo '[setup] going on with pip, which takes longer'
            step "packages of $LOCK, with pip" install_with_pip
            return
        }
    fi
    configure_uv
    step "packages of $LOCK" install_with_uv || {
        echo '[setup] uv could not install them: trying pip, which takes longer'
        step "packages of $LOCK, with pip" install_with_pip
    }
}

install_mmlt() {
    "$BIN/python" -m pip install --no-deps --no-build-isolation -e .
}

check() {       # the pair that breaks everything else when it does not match
    "$BIN/python" -c 'import torch, torchvision
torch.ops.torchvision.nms
gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, GPUs: {gpus}")'
}

# One set-up at a time (where the file system can lock): the second waits, then finds everything done.
if command -v flock >/dev/null; then
    exec 9<"$ROOT"
    flock 9 2>/dev/null || true
fi

version=
if [[ -e $BIN/python ]]; then version=$(supported_version "$BIN/python"); fi
if [[ -n $version && -n ${PYTHON:-} && $(supported_version "$PYTHON") != "$version" ]]; then version=; fi
if [[ -n $version && -f $STAMP && $(<"$STAMP") == "$(stamp_of "$version")" ]]; then
    echo '[setup] .venv is up to date'
    exit 0
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
LOG=$(mktemp)
trap 'rm -f "$LOG" "$LOG.lock"' EXIT

if [[ -z $version || -f $BUILDING ]] || { [[ -f $STAMP ]] && ! grep -qxF "root $ROOT" "$STAMP"; }; then
    python=$(pick_python)
    version=$(supported_version "$python")
    mkdir -p "$VENV"
    touch "$BUILDING"
    step ".venv with Python $version" "$python" -m venv --clear "$VENV"
fi
rm -f "$STAMP"
touch "$BUILDING"
if ! "$BIN/python" -m pip --version >/dev/null 2>&1; then
    step 'pip' "$BIN/python" -m ensurepip
fi
install_locked
step 'mmlt, editable' install_mmlt
step 'imports' check
stamp_of "$version" >"$STAMP"
rm -f "$BUILDING"
echo "[setup] done: $(tail -n 1 "$LOG"), Python $version; commands run as .venv/bin/python"
