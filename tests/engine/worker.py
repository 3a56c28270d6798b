"""One of the processes of a run: `python worker.py SETTINGS.json`, with the environment that torchrun gives.

The optimiser is plain gradient descent, so that weights that differ tell of gradients that differ: Adam would make
whole steps of the rounding noise in gradients that are 0.
"""

import json
import sys

import torch

from pamm.engine.balancing import BalanceConfig
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.fit import fit
from pamm.engine.module import PAMMModule
from pamm.models import create_model
from pamm.tasks import get_tasks
from toys import MICRO, Rectangles

QUIET = {"gate_noise": "none", "stochastic_depth": 0.0}


class OneInSix(Rectangles):
    """Rectangles of which only the first has a label of the last task."""

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        if index:
            sample.labels.pop(self.tasks[-1].name, None)
        return sample


def descend(module):
    return torch.optim.SGD(module.parameters(), lr=0.003, momentum=0.5)


def main(settings):
    data = OneInSix(get_tasks(settings.get("tasks", ["semseg", "normals", "edge", "depth"])))
    torch.manual_seed(0)
    network = create_model("pamm_tiny", tasks=data.tasks, **MICRO, **QUIET)
    PAMMModule.configure_optimizers = descend
    run = {"validate_every": 2, "log_every": 1, "workers": 0, "pictures": 0, "accelerator": "cpu"}
    fit(
        network,
        data,
        OneInSix(data.tasks, length=5),  # shares of three and two
        optim=OptimConfig(**{"steps": 4, "load_balancing": 0.1} | settings["optim"]),
        run=RunConfig(**run | settings["run"]),
        augment=AugmentConfig(distort=False),
        balance=BalanceConfig(**settings["balance"]),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
