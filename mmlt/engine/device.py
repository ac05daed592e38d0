"""What this machine can do: device, precision, process group."""

import contextlib
import os
from collections.abc import Mapping

import torch
from mmengine.device import get_device

from mmlt.errors import UserError


def device_name() -> str:
    """The training device in words: the GPU's name, or the processor's and its number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = 'CPU'
    with contextlib.suppress(OSError), open('/proc/cpuinfo', encoding='utf-8') as file:
        name = next((line.split(':', 1)[1].strip() for line in file if line.startswith('model name')), name)
    threads = torch.get_num_threads()
    return f'{name}, {threads} thread{"s" if threads > 1 else ""}'


def supports_bf16() -> bool:
    """Whether bfloat16 arithmetic is native on the training device."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    with contextlib.suppress(OSError), open('/proc/cpuinfo', encoding='utf-8') as file:
        flags = next((line for line in file if line.startswith('flags')), '')
        return 'avx512_bf16' in flags or 'amx_bf16' in flags
    return False


def resolve_precision(wanted: str) -> tuple[str, str | None]:
    """The precision to use and, where it is not the one wanted, one line that says so.

    Raises:
        UserError: `wanted` is neither `fp32` nor `bf16`.
    """
    if wanted not in ('fp32', 'bf16'):
        raise UserError(f'precision {wanted!r} is not known: use fp32 or bf16.')
    if wanted == 'bf16' and not supports_bf16():
        return 'fp32', f'{device_name()} has no native bfloat16: training in fp32 instead.'
    return wanted, None


def autocast(precision: str) -> contextlib.AbstractContextManager:
    """The context in which a model computes in `precision` on the training device."""
    if precision == 'bf16':
        return torch.autocast(get_device(), dtype=torch.bfloat16)
    return contextlib.nullcontext()


def slurm_port(environ: Mapping[str, str]) -> int:
    """The port at which the processes of a Slurm step meet: another one for each job, and step, that shares a node.

    Below the ports that Linux gives to outgoing connections (from 32768 on).
    """
    given = (environ.get(name, '') for name in ('SLURM_JOB_ID', 'SLURM_STEP_ID'))
    job, step = (int(number) if number.isdecimal() else 0 for number in given)
    return 15000 + (job * 17 + step) % 15000


def start_processes(launcher: str) -> None:
    """Join the process group of torchrun (`pytorch`) or Slurm, on GPUs with NCCL and on CPUs with gloo.

    MMEngine's own start-up asks for a GPU in either case.
    """
    if launcher == 'none' or torch.distributed.is_initialized():
        return
    if launcher == 'slurm' and 'SLURM_PROCID' not in os.environ:
        raise UserError('--launcher slurm needs Slurm: start with `bash tools/slurm_train.sh`, or srun.')
    if launcher == 'slurm':
        os.environ.update(
            RANK=os.environ['SLURM_PROCID'],
            WORLD_SIZE=os.environ['SLURM_NTASKS'],
            LOCAL_RANK=os.environ.get('SLURM_LOCALID', '0'),
        )
        os.environ.setdefault('MASTER_PORT', str(slurm_port(os.environ)))
        if 'MASTER_ADDR' not in os.environ:
            import subprocess

            nodes = subprocess.run(
                ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']], capture_output=True, text=True, check=True
            )
            os.environ['MASTER_ADDR'] = nodes.stdout.split()[0]
    elif launcher != 'pytorch':
        raise UserError(f'launcher {launcher!r} is not known: use none, pytorch or slurm.')
    if 'RANK' not in os.environ:
        raise UserError('--launcher pytorch needs torchrun: start with `bash tools/dist_train.sh CONFIG GPUS`.')
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', '0')))
    torch.distributed.init_process_group('nccl' if gpus else 'gloo')
