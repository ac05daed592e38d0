# Read by dist_train.sh, dist_test.sh and slurm_train.sh: which Python, and (with GPUS set) how processes are started.

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=python
if [[ -x $TOOLS/../.venv/bin/python ]]; then PYTHON=$TOOLS/../.venv/bin/python; fi

free_port() {
    "$PYTHON" -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

# launch SCRIPT [arguments]: GPUS processes on this machine, out of NNODES machines (1).
launch() {
    local nodes=${NNODES:-1} port=${PORT:-} threads
    if [[ ! $GPUS =~ ^[1-9][0-9]*$ ]]; then
        echo "GPUS must be a whole number of processes a machine, not '$GPUS'." >&2
        exit 1
    fi
    # Every machine has to name the same port (under Slurm, one of the job's own, since jobs share machines); alone, any free
    # one lets several runs share the machine.
    if [[ -z $port ]]; then
        if ((nodes == 1)); then port=$(free_port)
        elif [[ ${SLURM_JOB_ID:-} =~ ^[0-9]+$ ]]; then port=$((15000 + SLURM_JOB_ID * 17 % 15000))
        else port=29500; fi
    fi
    threads=$(($(nproc) / GPUS))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}
    exec "$PYTHON" "$TOOLS/launch.py" --nnodes "$nodes" --node-rank "${NODE_RANK:-0}" \
        --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$port" --nproc-per-node "$GPUS" "$@"
}
