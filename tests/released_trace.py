"""Intermediate values of a network under the names that the reference values of the released code have."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pamm.models import PAMM
from pamm.models.released_names import their_tasks

Names = dict[str, Tensor]


def enlarged(maps: Tensor) -> Tensor:
    """What the released code's heads get: here they enlarge their maps themselves."""
    return nn.functional.interpolate(maps, scale_factor=4, mode="bilinear", align_corners=False)


class Trace:
    """Collects what the layers of a network give while it runs.

    Attributes:
        values: by name, in the order in which they were computed.
    """

    def __init__(self, model: PAMM) -> None:
        self.model, self.values = model, {}
        self.tasks = their_tasks(model.config)
        self.handles = [layer.register_forward_hook(partial(self._take, named)) for layer, named in self._layers()]

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _take(self, named: Callable[..., Names], layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        for name, value in named(inputs, output).items():
            self.values[name] = value.detach().clone()

    def _layers(self) -> Iterator[tuple[nn.Module | None, Callable[..., Names]]]:
        model = self.model
        encoder = model.encoder
        yield encoder.patches, lambda _, out: {"vit.patch_embed": out.flatten(2).mT}
        for number, block in enumerate(encoder.blocks, start=1):
            yield block, lambda _, out, name=f"vit.block{number}": {name: out}
        yield encoder.norm, lambda _, out: {"vit.norm": out}
        for number, stage in enumerate(model.stages):
            yield from self._stage(f"stage{number}", stage)
        yield model.fusion.weigh, lambda _, out: self._tokens("task_mask", out)
        for task, head in zip(self.tasks, model.heads.heads.values(), strict=True):
            yield head, lambda into, out, name=f"head.{task}": {f"{name}.in": enlarged(into[0]), f"{name}.out": out}

    def _stage(self, name: str, stage: nn.Module) -> Iterator[tuple[nn.Module | None, Callable[..., Names]]]:
        def tokens(layer: str) -> Callable[..., Names]:
            return lambda _, out: self._tokens(f"{name}.{layer}", out)

        def maps(layer: str) -> Callable[..., Names]:
            return lambda _, out: self._maps(f"{name}.{layer}", out)

        block = stage.block
        yield stage, lambda into, out: {f"{name}.input": into[0].flatten(2).mT} | self._tokens(f"{name}.out", out[0])
        yield stage.project, lambda _, out: {f"{name}.first_decode": out}
        yield stage.norm, lambda _, out: {f"{name}.input_norm": out}
        yield stage.task_conv, maps("task_conv")
        yield block.norm, maps("task_input_norm0")
        yield block.gate, tokens("proj_z0")
        yield block.expand, tokens("dim_expand_proj_x0")
        yield block.step_down, lambda _, out: self._each(f"{name}.x2dt_proj0", [o.flatten(0, 1) for o in out])
        yield block.reduce, tokens("dim_decrease_proj0")
        if stage.branch is not None:
            yield stage.branch.norms[2], maps("task_norm3")
        yield block.scan, lambda into, out: self._scan(f"{name}.scan", into)
        parameters = block.scan_parameters
        for letter, layer in parameters.linear.items():
            yield layer, tokens(f"{letter}_proj0")
        if parameters.experts is not None:
            yield from self._experts(name, parameters)

    def _experts(self, name: str, parameters: nn.Module) -> Iterator[tuple[nn.Module, Callable[..., Names]]]:
        experts, names = parameters.experts, parameters.names

        def kinds(layer: str, out: Tensor) -> Names:
            """Channels (T, b, L, P·N), apart for each parameter."""
            parts = zip(names, out.chunk(len(names), dim=-1), strict=True)
            return {
                key: value
                for letter, part in parts
                for key, value in self._tokens(f"{name}.{letter}_proj0{layer}", part).items()
            }

        def pairs(layer: str, out: Tensor) -> Names:
            """Layers with weights for each task and parameter, (T·P, b, ...)."""
            apart = torch.unflatten(out, 0, (len(self.tasks), len(names)))
            return {
                f"{name}.{letter}_proj0.{layer}.{task}": apart[place, kind]
                for place, task in enumerate(self.tasks)
                for kind, letter in enumerate(names)
            }

        yield (
            experts.router.score,
            lambda into, out: pairs("routerfeat", into[0][..., None, None]) | pairs("router", out[..., None, None]),
        )

        def whole(into: tuple[Any, ...], out: tuple[Tensor, Tensor]) -> Names:
            mixture, own, _ = experts.parts(into[0], out[1], into[1])
            parts = {".lora_bn": experts.expert_norm(mixture), ".proj_task": own, "": out[0].flatten(-2)}
            return {key: value for layer, part in parts.items() for key, value in kinds(layer, part).items()}

        yield experts, whole

    def _scan(self, name: str, inputs: tuple[Tensor, ...]) -> Names:
        """The scan's inputs in the order of reading, and its outputs one order at a time."""
        x, delta, A, B, C, D, bias, orders = inputs
        found: Names = {}
        for direction, order in enumerate(orders):
            alone = self.model.stages[0].block.scan.__class__()(x, delta, A, B, C, D, bias, order[None])
            start = f"dir{direction}"
            found |= self._each(f"{name}", [y[:, order].mT for y in alone], f"{start}.y_scanned_order")
            if direction == 0:
                for letter, value in (("B", B), ("C", C), ("delta_raw", delta)):
                    found |= self._each(name, [v[:, order].mT for v in value], f"{start}.{letter}")
        return found

    def _tokens(self, name: str, out: Tensor) -> Names:
        return self._each(name, [tokens.mT for tokens in out])

    def _maps(self, name: str, out: Tensor) -> Names:
        return self._each(name, out.chunk(len(self.tasks), dim=1))

    def _each(self, name: str, values: Any, end: str = "") -> Names:
        dot = f".{end}" if end else ""
        return {f"{name}.{task}{dot}": value for task, value in zip(self.tasks, values, strict=True)}
