"""What the commands say: to the terminal, on errors, and while they work."""

from collections.abc import Callable, Iterable

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

USAGE_ERROR = 2
"""Exit code where the user has something to mend."""
INTERRUPTED = 130
"""Exit code where the user stopped a command."""

console = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def progress_bar() -> Progress:
    """A bar that says how many of how many, and how long it will take."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True
    )


def advance(bar: Progress, row: TaskID) -> Callable[[int, int], None]:
    """What moves one row of a bar on, called with how many of how many."""
    return lambda done, total: bar.update(row, completed=done, total=total)


def report_failed(failed: Iterable[str]) -> int:
    """Say what went wrong with some of the images, and give the exit code."""
    code = 0
    for message in failed:
        errors.print(f"[red]error:[/red] {escape(message)}")
        code = USAGE_ERROR
    return code
