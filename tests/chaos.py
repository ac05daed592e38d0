#!/usr/bin/env python3
"""Kill real trainings at random instants, resume them, and compare with the run that was never killed.

    python tests/chaos.py --trials 50 --seed 0

Each trial trains a small BKD student and its teacher on digits-LT. It is killed (SIGKILL, or SIGTERM where the trial
says so) in the phase the trial names: during a step or an evaluation of the teacher or of the student, half-way through
a checkpoint write, before or after its rename, while results are written, at any instant at all, or while a second
student waits for the same teacher. Then `--resume` goes on, perhaps to be killed again, until the run is finished. Weights
must agree to the bit, results.json apart from times. Runs are forked from one process that has imported everything; what
they execute is tools/train.py itself.
"""

import argparse
import importlib
import io
import json
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TIMES = ('wall_seconds', 'images_per_s', 'peak_memory_mb')
EPOCHS = 5
STEPS = 6  # of an epoch: 342 images in batches of 64
CONFIG = """
_base_ = ['{base}']
train_cfg = dict(max_epochs={epochs}, val_interval=2)
param_scheduler = [dict(type='MultiStepLR', milestones=[2, 4], gamma=0.1)]
default_hooks = dict(checkpoint=dict(seconds=0))
"""
# Hooks of every kind of state. The student ends at its third evaluation; each own hook changes weights by what it has counted.
HOOKS_AND_CODE = """
custom_imports = dict(imports=['chaos_hooks'])
train_cfg = dict(max_epochs={more}, val_interval=2)
custom_hooks = [
    dict(type='EarlyStoppingHook', monitor='accuracy/top1', min_delta=1e6, patience=2),
    dict(type='EMAHook', momentum=0.1),
    dict(type='CountingHook', every=5),
    dict(type='CountingHook', every=7),
    dict(type='WritingHook', every=4),
]
"""
OWN_HOOKS = """
from mmengine.hooks import Hook
from mmlt.registry import HOOKS


class Counting(Hook):
    def __init__(self, every):
        self.every, self.left, self.mean = every, every, None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        bias = runner.bare_model.head.bias.data
        self.left -= 1
        self.mean = bias.clone() if self.mean is None else self.mean * 0.9 + bias * 0.1
        if self.left == 0:
            self.left = self.every
            bias.copy_(self.mean)


@HOOKS.register_module()
class CountingHook(Counting):
    def state_dict(self):
        return dict(left=self.left, mean=self.mean)

    def load_state_dict(self, state):
        self.left, self.mean = state['left'], state['mean']


@HOOKS.register_module()
class WritingHook(Counting):
    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['counting'] = dict(left=self.left, mean=self.mean)

    def after_load_checkpoint(self, runner, checkpoint):
        self.left, self.mean = checkpoint['counting']['left'], checkpoint['counting']['mean']
"""
NEEDS = "prerequisites = dict(teacher=dict(config='teacher.py'))\n"
PHASES = (
    'teacher step', 'teacher evaluation', 'student step', 'student evaluation', 'inside a checkpoint write',
    'before a rename', 'after a rename', 'results', 'any instant', 'shared teacher', 'SIGTERM in the midst of an epoch',
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Where one trial is killed.

    Attributes:
        phase: one of `PHASES`.
        occasion: the how-manieth time, from 0, that the phase comes.
        delay: seconds after it.
        again: kills after the first, each at any instant.
        seed: of those.
    """

    phase: str
    occasion: int
    delay: float
    again: int
    seed: int


def plans(trials: int, seed: int) -> list[Plan]:
    """The trials of a campaign: a function of the seed; phases in turn."""
    made = []
    for number in range(trials):
        draw = random.Random(seed * 10_000 + number)
        phase = PHASES[number % len(PHASES)]
        most = dict(zip(PHASES, (29, 2, 29, 2, 13, 20, 20, 3, 0, 0, 50), strict=True))[phase]
        made.append(Plan(phase, draw.randint(0, most), draw.uniform(0, 0.02), draw.choice((0, 0, 1)), number))
    return made


def strike(number: int, delay: float = 0.0) -> None:
    """Send this process a signal, now or from a thread after `delay` seconds."""
    if delay and number == signal.SIGKILL:
        threading.Timer(delay, os.kill, (os.getpid(), number)).start()
    else:
        os.kill(os.getpid(), number)


def arm(plan: Plan) -> None:
    """Let the process kill itself where the plan says; called in the forked child."""
    import torch

    from mmlt import files
    from mmlt.engine import checkpoint
    from mmlt.engine.loops import EpochTrainLoop, EvalLoop

    left = [plan.occasion]

    def now() -> bool:
        left[0] -= 1
        return left[0] == -1

    def is_student(loop: EpochTrainLoop | EvalLoop) -> bool:
        return 'teacher' in loop.runner.bare_model.roles

    def before(
        owner: object, name: str, wanted: Callable[..., bool], number: int = signal.SIGKILL, delay: float = plan.delay
    ) -> None:
        whole = getattr(owner, name)

        def armed(*args, **kwargs):  # noqa: ANN002, ANN003, ANN202
            if wanted(*args) and now():
                strike(number, delay)
            return whole(*args, **kwargs)

        setattr(owner, name, armed)

    def half(content: object, file: io.IOBase) -> None:
        whole = io.BytesIO()
        save(content, whole)
        if now():
            file.write(whole.getvalue()[: len(whole.getvalue()) * plan.seed % 97 * len(whole.getvalue()) // 97])
            file.flush()
            strike(signal.SIGKILL)
        file.write(whole.getvalue())

    def renamed(source: str, target: Path) -> None:
        rename(source, target)
        if now():
            strike(signal.SIGKILL)

    save, rename = torch.save, os.replace
    match plan.phase:
        case 'teacher step' | 'student step':
            before(EpochTrainLoop, 'run_iter', lambda loop, _: is_student(loop) == (plan.phase == 'student step'))
        case 'teacher evaluation' | 'student evaluation':
            before(EvalLoop, 'run', lambda loop: is_student(loop) == (plan.phase == 'student evaluation'))
        case 'SIGTERM in the midst of an epoch':
            before(EpochTrainLoop, 'run_iter', lambda *_: True, signal.SIGTERM)
        case 'inside a checkpoint write':
            checkpoint.torch = type('', (), {**vars(torch), 'save': staticmethod(half)})
        case 'before a rename':
            before(files.os, 'replace', lambda *_: True, delay=0.0)  # at once: a rename takes no time
        case 'after a rename':
            files.os.replace = renamed
        case 'results':
            before(files.os, 'replace', lambda _, target: Path(target).suffix in ('.json', '.csv', '.html')
                   and 'elapsed' not in str(target), delay=0.0)  # fmt: skip


class Campaign:
    """Trials in one folder.

    Args:
        folder: an empty folder.
        hooks: whether the students have hooks that count.
    """

    def __init__(self, folder: Path, hooks: bool = False) -> None:
        self.folder = folder
        self.epochs = {'teacher': EPOCHS, **dict.fromkeys(('bkd', 'kd'), EPOCHS + 1 if hooks else EPOCHS)}
        for name, base, needs in (('teacher', 'ce', ''), ('bkd', 'bkd', NEEDS), ('kd', 'kd', NEEDS)):
            base_file = ROOT / 'configs' / base / 'resnet8_digitslt.py'
            counting = HOOKS_AND_CODE.format(more=EPOCHS + 4) if hooks and needs else ''
            (folder / f'{name}.py').write_text(CONFIG.format(base=base_file, epochs=EPOCHS) + needs + counting)
        (folder / 'chaos_hooks.py').write_text(OWN_HOOKS)
        self.expected = {}
        for place in ('first', 'whole'):
            start = time.perf_counter()
            self.run_whole('bkd', folder / place)
            self.seconds = time.perf_counter() - start
            for module in (folder / place / 'modules.txt').read_text().split():  # every later run starts at once
                with suppress(Exception):
                    importlib.import_module(module)
        self.run_whole('kd', folder / 'whole')
        for student in ('bkd', 'kd'):
            self.expected[student] = self.outcome(folder / 'whole', student)

    def run_whole(self, student: str, place: Path) -> None:
        """A run that is not killed."""
        if code := self.wait(self.start(student, place, None)):
            raise SystemExit(f'the run that is not killed ended with {code}:\n{(place / f"{student}.log").read_text()}')

    def start(self, student: str, place: Path, plan: Plan | None) -> int:
        """Fork a process that is `tools/train.py STUDENT --resume` in `place`; returns its id."""
        place.mkdir(exist_ok=True)
        child = os.fork()
        if child:
            return child
        code = 70
        try:
            os.chdir(place)
            log = os.open(f'{student}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if plan:
                arm(plan)
            sys.argv = ['train.py', str(self.folder / f'{student}.py'), '--resume']
            runpy.run_path(str(ROOT / 'tools' / 'train.py'), run_name='__main__')
            Path('modules.txt').write_text('\n'.join(name for name in sys.modules if name != '__main__'))
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
            os._exit(code)

    def wait(self, child: int, kill_after: float | None = None) -> int:
        """Exit code of a child, minus the signal's number where one killed it; kill it after some seconds if asked."""
        end = time.perf_counter() + (600 if kill_after is None else kill_after)
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            if time.perf_counter() > end:
                os.kill(child, signal.SIGKILL)
                end += 600
            time.sleep(0.002)

    def outcome(self, place: Path, student: str) -> dict:
        """Everything a run leaves that must agree: weights and optimizer as bytes, results without times, per-class file."""
        import torch

        found = {}
        for name in (student, 'teacher'):
            folder = place / 'work_dirs' / name / 'seed0'
            record = json.loads((folder / 'results.json').read_text())
            found[name] = {key: value for key, value in record.items() if key not in TIMES}
            found[f'{name} per class'] = (folder / 'per_class.csv').read_text()
            found[f'{name} report'] = (folder / 'report.html').is_file()
            for file in (f'epoch_{self.epochs[name]}.pth', 'best.pth'):
                weights = torch.load(folder / file)['state_dict']
                found[f'{name} {file}'] = {key: value.numpy().tobytes() for key, value in weights.items()}
        return found

    def trial(self, plan: Plan) -> tuple[list[str], list[int]]:
        """Run one trial.

        Returns:
            What differs from the run that was not killed (nothing, if all is well), and the exit codes on the way.
        """
        place = self.folder / f'trial{plan.seed}'
        draw = random.Random(plan.seed)
        other = None
        timed = plan.phase in ('any instant', 'shared teacher')
        kill_after = draw.uniform(0, self.seconds) if timed else None
        codes = [0]
        while codes == [0]:  # the run was quicker than the kill: once more, killed earlier
            if place.exists():
                shutil.rmtree(place)
            other = self.start('kd', place, None) if plan.phase == 'shared teacher' else None
            codes = [self.wait(self.start('bkd', place, plan), kill_after)]
            if codes == [0] and not timed:
                return ['was not killed'], codes
            if codes == [0]:
                kill_after /= 2
                if other is not None:
                    self.wait(other)
        for _ in range(plan.again):
            codes.append(self.wait(self.start('bkd', place, None), draw.uniform(0, self.seconds / 2)))
        while codes[-1] and len(codes) < 6:
            codes.append(self.wait(self.start('bkd', place, None)))
        if other is not None:
            codes.append(self.wait(other))
        wanted = (143, 0) if plan.phase.startswith('SIGTERM') else (-signal.SIGKILL, 0)
        problems = [f'exit code {code}' for code in codes if code not in (*wanted, -signal.SIGKILL)]
        for student in ('bkd', 'kd') if other is not None else ('bkd',):
            try:
                found = self.outcome(place, student)
            except (OSError, ValueError) as error:
                problems.append(str(error))
                continue
            problems += [key for key, value in self.expected[student].items() if found[key] != value]
        leftovers = [path.name for path in place.rglob('.*.tmp')]
        problems += [f'left behind: {name}' for name in leftovers]
        if not problems:
            shutil.rmtree(place)
        return problems, codes


def main() -> None:
    """Run a campaign; exit code 1 if a trial differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--trials', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--hooks', action='store_true', help='students with early stopping, an average, and hooks of their own')
    parser.add_argument('--phases', nargs='+', choices=PHASES, help='only the trials of these phases')
    args = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    import torch

    torch.set_num_threads(1)
    memory = Path('/dev/shm')  # syncing a busy disk is not what is tested
    folder = Path(tempfile.mkdtemp(prefix='chaos', dir=memory if memory.is_dir() else None))
    start = time.perf_counter()
    campaign = Campaign(folder, args.hooks)
    print(f'a run that is not killed: {campaign.seconds:.1f} s; folder {folder}', flush=True)
    equal = killed = 0
    chosen = [plan for plan in plans(args.trials, args.seed) if plan.phase in (args.phases or PHASES)]
    for plan in chosen:
        problems, codes = campaign.trial(plan)
        equal += not problems
        killed += sum(code != 0 for code in codes)
        verdict = 'equal' if not problems else f'DIFFERS: {"; ".join(problems)}'
        print(f'{plan.seed + 1:3} {plan.phase:34} occasion {plan.occasion:2}  exit codes {codes}  {verdict}', flush=True)
    seconds = time.perf_counter() - start
    print(f'{equal} of {len(chosen)} equal; {killed} processes killed; {seconds:.0f} s')
    if equal != len(chosen):
        raise SystemExit(1)
    shutil.rmtree(folder)


if __name__ == '__main__':
    main()
