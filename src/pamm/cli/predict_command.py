"""`pamm predict`."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from rich.progress import Progress, TaskID

from pamm.cli.console import INTERRUPTED, console, errors, progress_bar, report_failed
from pamm.engine.devices import Precision
from pamm.engine.many.on_ray import Ray
from pamm.engine.predict_files import FilesResult, predict_files
from pamm.engine.predictor import load
from pamm.engine.tiles.grid import Tiling
from pamm.engine.tiles.predictor import TiledPredictor

_LISTED = 20
"""So many folders are listed one by one."""


def predict_command(
    images: list[Path],
    *,
    out: Path = Path("predictions"),
    weights: str = "pamm-tiny-scenes",
    tasks: list[str] | None = None,
    write: list[str] | None = None,
    video: str = "mp4",
    spans: dict[str, tuple[float, float]] | None = None,
    resume: bool = False,
    batch_size: int = 8,
    workers: int | None = None,
    native: bool = False,
    device: str = "auto",
    precision: Precision = "float32",
    tile: int | Literal["auto"] | None = None,
    overlap: int | None = None,
    engine: Literal["local", "ray"] = "local",
    ray_address: str | None = None,
) -> int:
    """Predict the maps of photos, folders of photos and videos: pictures a person can read, and raw values.

    Args:
        images: photos, videos, folders and patterns.
        out: folder to write to (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        tasks: maps that are wanted, by name; all that the weights predict if left out.
        write: what is written, one or more of `pictures`, `values` and `overview`; all if left out, but no values of
            videos.
        video: how videos are written: `mp4` (MPEG-4), `webm` (VP8, for browsers), `avi` (Motion JPEG), or `mkv` (FFV1,
            which loses nothing).
        spans: ranges of values that the colours stand for, such as `{depth: [0, 10]}`; if left out, each photo has its
            own, and each video that of its first frames.
        resume: go on where an earlier run of the same weights and options was interrupted: keep what is finished.
        batch_size: photos that go through the network at a time.
        workers: threads that read, and as many that write; if left out, as many as there are processors, at most 8.
            With `--engine ray`, processes that predict; if left out, as many as there are GPUs, or processors for.
        native: predict at the photo's own size instead of the size the weights were trained at.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
        precision: `float32`, `bf16`, or `auto` for the one that is faster here.
        tile: predict larger photos at their own size, in tiles of so many pixels a side that are blended; `auto` for
            tiles as large as the pictures the weights were trained on.
        overlap: pixels that tiles share; a quarter of a tile if left out.
        engine: `local` predicts in this process; `ray` on a cluster, or in several processes here.
        ray_address: address of the cluster, `auto` for the one this machine is of; if left out, processes are started
            here.
    """
    if overlap is not None and tile is None:
        raise ValueError("overlap is that of tiles: give --tile too")
    if ray_address is not None and engine != "ray":
        raise ValueError("a cluster was given: give --engine ray too")
    ray = Ray(ray_address, device) if engine == "ray" else None
    here = device if ray is None else "cpu"
    predictor = load(weights, device=here, resize=not native, precision=precision, fused=True, tasks=tasks)
    with progress_bar() as bar:
        row = bar.add_task("predicting", total=None)
        if tile is not None:
            tiling = Tiling(None if tile == "auto" else tile, overlap)
            predictor = TiledPredictor(predictor, tiling, progress=_tiles(bar, row) if ray is None else None)
        try:
            result = predict_files(
                predictor,
                images,
                out,
                write=write,
                video=video,
                spans=spans,
                batch_size=batch_size,
                workers=workers,
                resume=resume,
                ray=ray,
                progress=lambda done, total: bar.update(row, completed=done, total=total),
            )
        except KeyboardInterrupt:
            bar.stop()
            errors.print("interrupted: what is finished is kept; the same command with --resume goes on from there")
            return INTERRUPTED
    _show(result, out)
    return report_failed(result.failed.values())


def _tiles(bar: Progress, row: TaskID) -> Callable[[int, int], None]:
    """What says beside a bar how far the photo is that is seen in tiles."""
    return lambda done, total: bar.update(row, description=f"predicting, tile {done:,} of {total:,}")


def _show(result: FilesResult, out: Path) -> None:
    if result.kept:
        console.print(f"{len(result.kept):,} were finished before", highlight=False)
    if len(result.done) > _LISTED:
        console.print(f"{len(result.done):,} folders of maps in {out}", highlight=False, soft_wrap=True)
    else:
        for folder in result.done:
            console.print(f"{folder}", soft_wrap=True)
