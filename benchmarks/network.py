"""Time and memory of the whole network: forward and training passes, their parts, and what the machine allows.

Run ``python benchmarks/network.py`` (``--help`` lists the options). What is compared is measured in one run, in turns,
so that a busy machine slows all alike; times are medians over the rounds. A floor is the time of a pass's
multiply-adds at the rate at which the machine multiplies large matrices of the same numbers, measured in turns with
the network; training counts as three forward passes. Memory is the peak beyond what was in use before, so without
the parameters but, in training, with their gradients.

    python benchmarks/network.py --parts --json benchmarks/results/network_cpu.json
    python benchmarks/network.py --sizes --growth resolution tasks --json benchmarks/results/network_growth.json
"""

import argparse
import json
import os
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from network_growth import AXES, Series, grow, growth_table
from network_parts import parts_table, split
from network_sizes import FORMS, SIZES, build, config_of
from network_timing import DTYPES, PASSES, Work, clock_of, in_turns, machine_name, matrix_product
from network_yardstick import Comparison, compare, published, textbook_scan
from rich.console import Console
from rich.table import Table
from scan import peak_of

from pamm.engine.memory import keep_memory
from pamm.models import PAMM
from pamm.models.info import count_macs, count_parameters


@dataclass(frozen=True)
class Case:
    """One way to run a network of some size."""

    form: str
    dtype: str
    compiled: bool
    pass_: str

    def __str__(self) -> str:
        """The settings in words."""
        return f"{self.form}, {self.dtype}{', compiled' if self.compiled else ''}, {self.pass_}"


@dataclass(frozen=True)
class Result:
    """What a case took."""

    seconds: float
    """Median time."""
    memory: int | None
    """Bytes at the peak, beyond those in use before; None where the system does not say."""
    macs: float
    """Multiply-adds of a forward pass on the batch."""
    rate: float
    """Multiply-adds a second of large matrix products of the same numbers."""
    floor: float
    """Seconds that the pass's multiply-adds take at that rate."""
    share: float
    """Part of the floor's speed that is reached."""
    yardstick: Comparison | None
    """The published time and memory beside these."""


def measure(
    size: str, pass_: str, models: dict[str, PAMM], textbook: float | None, arguments: argparse.Namespace
) -> dict[Case, Result]:
    """Measure a pass of all forms of a size in turns with the products of large matrices, beside the yardstick."""
    height, width = SIZES[size].image_size
    device, batch = arguments.device, arguments.batch
    image = torch.randn(batch, 3, height, width, device=device)
    products = {dtype: matrix_product(dtype, device) for dtype in arguments.dtypes}
    torch.compiler.reset()  # it compiles one function for a few networks only
    cases: dict[Case, Work] = {}
    for form, model in models.items():
        ready = PASSES[pass_].prepare(model)
        for how in arguments.compile:
            module = torch.compile(ready) if how == "on" else ready
            for dtype in arguments.dtypes:
                work = partial(PASSES[pass_].run, module, image, dtype)
                cases[Case(form, dtype, how == "on", pass_)] = work
    works: dict[Case | str, Work] = {dtype: product for dtype, (product, _) in products.items()}
    seconds = in_turns({**works, **cases}, arguments.rounds, clock_of(device))
    macs = {form: float(batch * count_macs(model, height, width)) for form, model in models.items()}
    results = {}
    for case, work in cases.items():
        time, memory = seconds[case], peak_of(work, device)
        rate = products[case.dtype][1] / seconds[case.dtype]
        floor = PASSES[pass_].products * macs[case.form] / rate
        beside = compare(size, pass_, textbook, time, memory) if textbook and published(size, pass_) else None
        results[case] = Result(time, memory, macs[case.form], rate, floor, floor / time, beside)
    return results


def results_table(title: str, results: dict[Case, Result]) -> Table:
    """Times, memory, multiply-adds and the share of their floor."""
    table = Table("", title=title)
    for column in ("ms", "MiB", "GMAC", "GMAC/s of products", "floor ms", "floor's share"):
        table.add_column(column, justify="right", no_wrap=True)
    for case, found in results.items():
        table.add_row(
            str(case),
            f"{1000 * found.seconds:.1f}",
            "" if found.memory is None else f"{found.memory / 2**20:.0f}",
            f"{found.macs / 1e9:.1f}",
            f"{found.rate / 1e9:.0f}",
            f"{1000 * found.floor:.1f}",
            f"{found.share:.0%}",
        )
    return table


def yardstick_table(title: str, results: dict[Case, Result]) -> Table:
    """What was published, what that would be on this machine, ours, and the factors between them."""
    table = Table("", title=title)
    for column in ("published s", "× scale", "= here s", "ours s", "factor", "published GB", "ours GB", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    for case, found in results.items():
        theirs = found.yardstick
        if theirs is None:
            continue
        cells = [f"{theirs.seconds:.1f}", f"{theirs.scale:.3f}", f"{theirs.here:.2f}"]
        cells += [f"{found.seconds:.3f}", f"{theirs.factor:.1f}"]
        if theirs.memory is not None and found.memory is not None:
            cells += [f"{theirs.memory / 1e9:.1f}", f"{found.memory / 1e9:.2f}", f"{theirs.memory_ratio:.2f}"]
        table.add_row(str(case), *cells)
    return table


def measure_size(size: str, textbook: float | None, arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure a size, print its tables, and give all for the record."""
    forms = list(dict.fromkeys(arguments.forms))
    models = {form: build(config_of(size, form), arguments.device).set_recompute(arguments.recompute) for form in forms}
    parameters = {form: count_parameters(model) for form, model in models.items()}
    results: dict[Case, Result] = {}
    for pass_ in arguments.passes:
        results |= measure(size, pass_, models, textbook, arguments)
    sums = ", ".join(f"{form} {sum(parts.values()) / 1e6:.1f} M" for form, parts in parameters.items())
    console.print(results_table(f"{size}: parameters {sums}; batch {arguments.batch}", results))
    if any(result.yardstick for result in results.values()):
        console.print(yardstick_table(f"{size}: beside the released code", results))
    parts = []
    if arguments.parts:
        for form, dtype in product(models, arguments.dtypes):
            image = torch.randn(arguments.batch, 3, *SIZES[size].image_size, device=arguments.device)
            phases = split(models[form], image, dtype, arguments.rounds, clock_of(arguments.device), arguments.passes)
            console.print(parts_table(f"{size}, {form}, {dtype}: time by part", phases))
            parts.append({"form": form, "dtype": dtype, "seconds": phases})
    cases = [{**asdict(case), **asdict(result)} for case, result in results.items()]
    return {"size": size, "textbook": textbook, "parameters": parameters, "cases": cases, "parts": parts}


def yardsticks(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of the textbook scan by size, as a process has it that keeps no memory for the next tensor."""
    # The published figures are of single images on a CPU.
    if not arguments.yardstick or arguments.device != "cpu" or arguments.batch != 1:
        return {}
    return {
        size: in_turns({size: textbook_scan(size)}, arguments.rounds, clock_of("cpu"))[size]
        for size in arguments.sizes
        if any(published(size, pass_) for pass_ in arguments.passes)
    }


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=["small", "medium"])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=["float32"])
    parser.add_argument("--compile", nargs="+", choices=("off", "on"), default=["off"], help="on takes minutes")
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--parts", action="store_true", help="split the time by part too, without compiling")
    parser.add_argument(
        "--yardstick",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the published times of the released code, scaled to this machine",
    )
    parser.add_argument("--growth", nargs="*", choices=AXES, default=[], help="series of decoders to measure too")
    parser.add_argument("--growth-size", choices=SIZES, default="small", help="size of those decoders")
    parser.add_argument("--growth-form", choices=FORMS, default="paper", help="form of those decoders")
    parser.add_argument("--recompute", action="store_true", help="train with activations computed again, not kept")
    parser.add_argument("--tf32", action="store_true", help="let a GPU multiply float32 numbers with fewer digits")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    return parser.parse_args()


def main() -> None:
    """Print the tables, and write the results as JSON if asked, anew after each size."""
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.tf32
    console = Console()
    record: dict[str, Any] = {
        "machine": machine_name(arguments.device),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
        **{key: getattr(arguments, key) for key in ("device", "threads", "batch", "rounds", "recompute", "tf32")},
        "sizes": [],
        "growth": [],
    }
    console.print("{machine}, torch {torch}, {threads} thread(s), load {load:.1f} at the start".format_map(record))

    def keep(key: str, found: dict[str, Any]) -> None:
        record[key].append(found)
        if arguments.json:
            arguments.json.write_text(json.dumps(record) + "\n")

    textbook = yardsticks(arguments)
    keep_memory()
    for size in arguments.sizes:
        keep("sizes", measure_size(size, textbook.get(size), arguments, console))
    for axis, dtype, pass_ in product(arguments.growth, arguments.dtypes, arguments.passes):
        series = Series(axis, arguments.growth_size, arguments.growth_form, dtype, pass_, arguments.device)
        found = grow(series, arguments.rounds)
        console.print(growth_table(found))
        keep("growth", found)


if __name__ == "__main__":
    main()
