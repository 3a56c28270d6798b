"""A run that Ray Data spreads over processes or machines."""

import copy
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pamm.engine.many.job import Job
from pamm.engine.many.photos import Outcome
from pamm.engine.many.pieces import Setup, Worker, to_pieces
from pamm.engine.many.run import Tally
from pamm.engine.many.sources import Source
from pamm.engine.predictor import Predictor

_BLOCKS = 10_000
"""Pieces that are dealt out one by one; of more, several go together."""
_STORE = 128 << 20
"""Bytes of shared memory on this machine besides twice those of the weights."""
_TRIES = ".ray-"
"""How the name of a folder begins that all workers see."""
_PATIENCE = 10
"""Seconds that a cluster's head may take to answer."""


@dataclass(frozen=True)
class Ray:
    """Where Ray runs, and on what."""

    address: str | None = None
    """Address of a cluster (``auto`` for the one this machine is of, ``ray://HOST:10001``); none starts processes on
    this machine, which end with the run. Ray that this process has started already is used as it is."""
    device: str = "auto"
    """Device of each worker; see :func:`pamm.engine.devices.pick_device`."""


def run_on_ray(
    predictor: Predictor,
    sources: Sequence[Source],
    job: Job,
    *,
    ray: Ray,
    batch_size: int,
    workers: int | None,
    resume: bool,
    finished: Collection[str],
    tally: Tally,
) -> Generator[Outcome, None, None]:
    """Predict photos and videos on a cluster, whose machines see the files under the same names.

    The maps are the same, bit for bit, as of a run on one machine whose network takes the same number of threads, as
    far as the machines' processors are of one kind.

    Args:
        predictor: the network; each worker gets a copy.
        sources: all photos and videos of the run.
        job: what is written, and where.
        ray: where.
        batch_size: photos or frames the network sees at a time, at most.
        workers: processes that predict; if left out, as many as there are GPUs, or processors for.
        resume: whether frames are kept that an interrupted run has finished.
        finished: names of the sources that need not be predicted.
        tally: told what is done.

    Yields:
        What became of each source that is not finished; of none after a hopeless one.

    Raises:
        ModuleNotFoundError: if Ray is not installed.
        ValueError: if the cluster cannot be reached, or gives up.
    """
    by_name = {source.name: source for source in sources}
    pieces = to_pieces(predictor, sources, job, batch_size=batch_size, finished=finished)
    if not pieces:
        return
    threads = torch.get_num_threads()
    cpus = threads * min(workers or max(1, (os.cpu_count() or 1) // threads), len(pieces))
    weights = sum(value.nbytes for value in predictor.model.state_dict().values())
    with _started(ray.address, cpus=cpus, store=_STORE + 2 * weights) as resources, _tries(job.out) as tries:
        on_gpu = ray.device == "auto" or ray.device.startswith("cuda")
        gpus = int(resources.get("GPU", 0)) if on_gpu else 0
        setup = Setup(
            job=job,
            device=ray.device,
            threads=threads,
            folder=os.getcwd(),
            tries=tries,
            batch_size=batch_size,
            resume=resume,
        )
        count = min(workers or gpus or max(1, int(resources.get("CPU", 1)) // threads), len(pieces))
        for row in _rows(predictor, pieces, setup, workers=count, gpus=1 if gpus else 0):
            source = by_name[row["name"]]
            tally.whole(source)
            yield Outcome(
                source, job.folder(source) if row["made"] else None, row["failure"], row["hopeless"], row["frames"]
            )
            if row["hopeless"]:
                break


@contextmanager
def _tries(out: Path) -> Iterator[str]:
    """A folder that all workers see, which goes with the run; so do those of runs that were killed."""
    for leftover in out.glob(f"{_TRIES}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=_TRIES, dir=out)
    try:
        yield os.path.abspath(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(address: str | None, *, cpus: int, store: int) -> Iterator[Mapping[str, float]]:
    """Connect to Ray, or start it; what was started ends.

    Yields:
        What the cluster has, by Ray's names.
    """
    # Ray tells its makers what it is used for unless told not to, and users much that does not concern them
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    options: dict[str, Any] = {"address": address}
    if address is not None:
        _check_address(address)
    else:
        options = {"address": "local", "num_cpus": cpus, "object_store_memory": store, "include_dashboard": False}
        # whatever the name says, on any system it lets all listen on loopback alone
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("spreading a run needs Ray: pip install 'pamm[ray]'") from error
    ours = not ray.is_initialized()
    if ours:
        try:
            with _silence():
                ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ValueError(f"Ray cannot be reached or started ({reason}): check the address") from error
    try:
        yield ray.cluster_resources()  # type: ignore[no-untyped-call]
    finally:
        if ours:
            ray.shutdown()


def _check_address(address: str) -> None:
    """See at once whether somebody is there; Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"nobody answers at {address} ({error}): give the address of a cluster's head, or auto on one of its "
            "machines"
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what compiled code says off the terminal; Python's own errors are raised."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _rows(
    predictor: Predictor, pieces: Sequence[Mapping[str, Any]], setup: Setup, *, workers: int, gpus: int
) -> Iterator[dict[str, Any]]:
    """What workers say of the sources, as it comes."""
    import ray.data

    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars, context.print_on_execution_start
    context.enable_progress_bars = context.print_on_execution_start = False
    log = logging.getLogger("ray.data")
    level = log.level
    log.setLevel(logging.CRITICAL)
    weights = ray.put(copy.deepcopy(predictor).to("cpu"))
    rows = ray.data.from_items(list(pieces), override_num_blocks=min(len(pieces), _BLOCKS)).flat_map(
        Worker,
        fn_constructor_args=(weights, setup),
        concurrency=workers,
        num_cpus=setup.threads,
        num_gpus=gpus,
    )
    try:
        yield from rows.iter_rows()
    except ray.exceptions.RayError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise ValueError(f"Ray gave up ({reason}): the same command with --resume goes on from here") from error
    finally:
        log.setLevel(level)
        context.enable_progress_bars, context.print_on_execution_start = before
