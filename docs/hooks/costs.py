"""Sizes of the presets, counted as `pamm info` counts them."""

from pamm.engine.recipes import cost
from pamm.engine.results.run_facts import encoder_name
from pamm.models import PRESETS


def presets() -> str:
    """A row for each preset."""
    lines = [
        "| preset | image | patch | encoder | d | N | tasks | parameters, 10⁶ | of the encoder | multiply-adds, 10⁹ |",
        "| --- | --- | --: | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, config in PRESETS.items():
        found = cost(config)
        sizes = "{}×{}".format(*config.image_size)
        numbers = (
            f"{sum(found.parameters.values()) / 1e6:.1f}",
            f"{found.parameters['encoder'] / 1e6:.1f}",
            f"{found.macs / 1e9:.1f}",
        )
        cells = (f"`{name}`", sizes, config.patch_size, encoder_name(config), config.d_model, config.d_state)
        lines.append(f"| {' | '.join(map(str, (*cells, len(config.tasks), *numbers)))} |")
    return "\n".join(lines)
