"""The command that serves the page."""

from collections.abc import Sequence

from pamm.cli.console import console
from pamm.page.serve import serve
from pamm.page.settings import PageSettings


def serve_command(
    *,
    weights: list[str] | None = None,
    host: str = PageSettings.host,
    port: int = PageSettings.port,
    max_megabytes: float = PageSettings.max_megabytes,
    max_megapixels: float = PageSettings.max_megapixels,
    longest: int = PageSettings.longest,
    queue: int = PageSettings.queue,
    device: str = PageSettings.device,
) -> int:
    """Serve a page where visitors drop a photo, look at its maps, and take them away.

    Args:
        weights: what visitors choose from: shipped names, folders of weights or hub names; all that ship if left out.
        host: address to listen on; `0.0.0.0` lets other machines in.
        port: port to listen on; 0 takes a free one.
        max_megabytes: largest file of a photo.
        max_megapixels: most pixels of a photo.
        longest: longest side in pixels at which photos are shown and predicted; larger ones are reduced.
        queue: how many photos may wait, the next are turned away.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    if weights == []:
        raise ValueError("--weights names none: name some, or leave it out for all that ship")
    settings = PageSettings(
        weights=tuple(weights or ()),
        host=host,
        port=port,
        max_megabytes=max_megabytes,
        max_megapixels=max_megapixels,
        longest=longest,
        queue=queue,
        device=device,
    )
    with console.status("Loading weights and making examples") as status:

        def ready(addresses: Sequence[str]) -> None:
            status.stop()
            console.print(f"Open {addresses[0]} (Ctrl-C ends it)", soft_wrap=True)
            for address in addresses[1:]:
                console.print(f"From other machines: {address}", soft_wrap=True)

        serve(settings, ready=ready)
    return 0
