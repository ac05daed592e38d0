# Read by dist_train.sh, dist_test.sh and slurm_train.sh: which Python, and (with GPUS set) how processes are started.

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
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
    local nodes=${NNODES:-1} port=${PORT:-} threads meeting
    if [[ ! $GPUS =~ ^[1-9][0-9]*$ ]]; then
        echo "GPUS must be a whole number of processes a machine, not '$GPUS'." >&2
        exit 1
    fi
    # Every machine has to name the same port (under Slurm, one of the job's own, since jobs share machines); alone, any free
    # one lets several runs share the machine.
    if [[ -z $port ]]; then
        if [[ $nodes == 1 ]]; then port=$(free_port)
        elif [[ ${SLURM_JOB_ID:-} =~ ^[0-9]+$ ]]; then port=$((15000 + SLURM_JOB_ID * 17 % 15000))
        else port=29500; fi
    fi
    threads=$(($(nproc) / GPUS))
    threads=${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}
    export OMP_NUM_THREADS=$threads MKL_NUM_THREADS=${MKL_NUM_THREADS:-$threads}
    # A fixed number of machines knows its ranks; from a range ("1:4") those take part that are there. Where processes may be
    # started anew, they meet at an address of their own each time: at the former one they find the addresses of those that ended.
    if [[ $nodes == *:* || ${MAX_RESTARTS:-0} != 0 ]]; then
        export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
        meeting=(--rdzv-backend c10d --rdzv-endpoint "${MASTER_ADDR:-127.0.0.1}:$port" --rdzv-id "${RUN_ID:-mmlt}")
    else
        meeting=(--node-rank "${NODE_RANK:-0}" --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$port")
    fi
    exec "$PYTHON" "$TOOLS/launch.py" --nnodes "$nodes" "${meeting[@]}" --max-restarts "${MAX_RESTARTS:-0}" \
        --nproc-per-node "$GPUS" "$@"
}
