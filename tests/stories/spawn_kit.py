"""The command line in processes of its own that need not import everything first.

One process imports what the verbs use, and does nothing else; each command is a fork of it, with its own arguments,
environment, folder and streams, and ends as any process does. That saves the two to four seconds of start-up a command.
What start-up itself does is shown by tests that start the real thing.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

READ_AT_START = ("PYTHON", "OMP_", "HF_", "TORCH", "MKL_", "OPENBLAS_", "LD_", "LANG", "LC_")
"""Variables that Python or a library reads when it is started or imported: a fork would not hear of them."""


IMPORTED = (
    "tutelage.api",
    "tutelage.training.tail",
    "torch._dynamo",  # every optimiser imports it
    "openvino",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


STARTED = _read_at_start(os.environ)


def heard(environment: Mapping[str, str]) -> bool:
    """Whether a fork can have that environment: it differs in nothing that is read at the start."""
    return _read_at_start(environment) == STARTED


def spawn(program: Path, arguments: list[str], environment: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """What ``subprocess.run([program, *arguments], capture_output=True, text=True)`` gives."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [str(Path(folder) / name) for name in ("out", "err")]
        order = {"argv": [str(program), *arguments], "env": environment, "cwd": str(Path.cwd()), "streams": streams}  # fmt: skip
        code = _answer(order, timeout)
        told, said = (Path(name).read_text(encoding="utf-8") for name in streams)
    return subprocess.CompletedProcess(order["argv"], code, told, said)


def _answer(order: dict[str, Any], timeout: float) -> int:
    parent = _parent(os.getpid())
    assert parent.stdin and parent.stdout
    parent.stdin.write(json.dumps(order) + "\n")
    parent.stdin.flush()
    if not select.select([parent.stdout], [], [], timeout)[0]:
        parent.kill()
        raise subprocess.TimeoutExpired(order["argv"], timeout)
    return int(json.loads(parent.stdout.readline()))


@cache
def _parent(owner: int) -> subprocess.Popen[str]:
    """The process that is forked, one for each test process."""
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip


def serve() -> None:
    """Import, then fork for every line that is read; a child runs the command line to its own end."""
    for name in IMPORTED:
        import_module(name)
    from tutelage.cli import main
    from tutelage.report.charts import drawn
    from tutelage.report.lineage import environment

    assert "huggingface_hub" not in sys.modules, "it would not hear of an order to stay offline"
    drawn(lambda axes: axes.plot([0, 1]), "", "")
    for template in environment().list_templates(extensions=["jinja"]):
        environment().get_template(template)
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        child = os.fork()
        if not child:
            _become(order)
            _end(main)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    os._exit(0)


def _end(main: Callable[[], object]) -> NoReturn:
    """Run it and end as Python does, but for taking apart what was imported, which nobody sees and half a second goes to."""
    code = 0
    try:
        main()
    except SystemExit as told:
        code = told.code if isinstance(told.code, int) else int(told.code is not None)
        if isinstance(told.code, str):
            print(told.code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _become(order: dict[str, Any]) -> None:
    created = os.O_WRONLY | os.O_CREAT
    opened = os.open(os.devnull, os.O_RDONLY), *(os.open(name, created) for name in order["streams"])  # fmt: skip
    for number, stream in enumerate(opened):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = order["argv"]


if __name__ == "__main__":
    serve()
