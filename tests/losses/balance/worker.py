"""One of the processes of a few trainings, one per method: `python worker.py OUT.pt`, in torchrun's environment.

The batch is shared out among them, and only the first rows have a label of the second task.
"""

import os
import sys

import torch
from torch import distributed, nn

from pamm.losses.balance import DBMTL, DynamicWeightAverage, GradNorm, PCGrad, Uncertainty
from pamm.tasks import TASKS

TASKS_HERE = (TASKS["semseg"], TASKS["depth"])
METHODS = {
    "uncertainty": lambda: Uncertainty(TASKS_HERE),
    "dwa": lambda: DynamicWeightAverage(TASKS_HERE, window=1),
    "gradnorm": lambda: GradNorm(TASKS_HERE),
    "pcgrad": lambda: PCGrad(TASKS_HERE),
    "db_mtl": lambda: DBMTL(TASKS_HERE, momentum=0.5, numbers=26),
}
ROWS, LABELLED = 8, 3


class Both(nn.Module):
    def __init__(self, method):
        super().__init__()
        self.trunk, self.heads = nn.Linear(3, 4), nn.Linear(4, 2)
        self.balancer = METHODS[method]()

    def forward(self, inputs, labels, known, share):
        errors = (self.heads(self.trunk(inputs).tanh()) - labels).square() * known
        # the mean over processes is the loss of the whole batch
        losses = errors.sum(dim=0) / torch.tensor([ROWS, LABELLED]) * share
        there = known.bool().any(dim=0)
        given = ({"semseg": pair[0], "depth": pair[1]} for pair in (losses, there))
        return self.balancer(*given, parameters=[*self.trunk.parameters(), *self.heads.parameters()])


def train(method, rank, processes):
    torch.manual_seed(0)
    model = Both(method)
    net = nn.parallel.DistributedDataParallel(model) if processes > 1 else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        torch.manual_seed(step)
        inputs, labels, known = torch.randn(ROWS, 3), torch.randn(ROWS, 2), torch.ones(ROWS, 2)
        known[LABELLED:, 1] = 0
        mine = slice(rank * ROWS // processes, (rank + 1) * ROWS // processes)
        optimizer.zero_grad()
        net(inputs[mine], labels[mine], known[mine], processes).backward()
        optimizer.step()
    return model.state_dict()


def main(out):
    rank, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if processes > 1:
        distributed.init_process_group("gloo")
    states = {method: train(method, rank, processes) for method in METHODS}
    if rank == 0:
        torch.save(states, out)


if __name__ == "__main__":
    main(sys.argv[1])
