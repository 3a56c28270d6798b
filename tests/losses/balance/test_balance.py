"""Every way of balancing on problems whose answer is known."""

import doctest

import pytest
import torch
from torch import nn

import pamm.losses.balance.pcgrad
from pamm.losses.balance import DBMTL, DynamicWeightAverage, Fixed, GradNorm, PCGrad, Uncertainty
from pamm.losses.balance.task_adam import TaskAdam
from pamm.tasks import TASKS

TWO = (TASKS["semseg"], TASKS["depth"])
"""A task of classes and one of values."""
ALL = {
    "fixed": Fixed,
    "uncertainty": Uncertainty,
    "dwa": lambda tasks: DynamicWeightAverage(tasks, window=2),
    "gradnorm": GradNorm,
    "pcgrad": PCGrad,
    "db_mtl": DBMTL,
    "db_mtl with momentum": lambda tasks: DBMTL(tasks, momentum=0.5, numbers=4),
}


class Linear:
    """Losses with given gradients: two shared numbers at 0, and one number of each task's own."""

    def __init__(self, *slopes, own=(1.0, 1.0)):
        self.slopes, self.slopes_own = torch.tensor(slopes), torch.tensor(own)
        self.shared, self.own = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    def losses(self, *values):
        found = torch.tensor(values) + self.slopes @ self.shared + self.slopes_own * self.own
        return dict(zip(("semseg", "depth"), found, strict=True))

    def step(self, balancer, *values, present=(True, True), scale=1.0):
        """Gradients of the shared and of the own numbers after one batch."""
        self.shared.grad = self.own.grad = None
        there = dict(zip(("semseg", "depth"), present, strict=True))
        balancer(self.losses(*values), there, parameters=[self.shared, self.own], scale=scale).backward()
        return self.shared.grad, self.own.grad


def close(found, wanted, **tolerance):
    torch.testing.assert_close(found, torch.as_tensor(wanted), check_dtype=False, **tolerance)


def test_fixed_weights_add_up():
    problem = Linear([1.0, 0.0], [-1.0, 1.0])
    shared, own = problem.step(Fixed(TWO), 3.0, 4.0)
    close(shared, [0.0, 1.0])
    close(own, [1.0, 1.0])
    assert Fixed(TWO)(problem.losses(3.0, 4.0), {"semseg": True, "depth": True}) == 7


def test_uncertainty_settles_where_every_weighted_loss_is_a_half():
    balancer, problem = Uncertainty(TWO), Linear([1.0, 0.0], [0.0, 1.0])
    shared, _ = problem.step(balancer, 2.0, 0.25)
    close(shared, [1.0, 0.5])
    for _ in range(600):
        shared, own = problem.step(balancer, 2.0, 0.25)
    close(balancer.log_variance, torch.tensor([4.0, 0.25]).log(), atol=1e-2, rtol=0)
    close(shared, [0.5 / 2.0, 0.5 / 0.25], atol=0, rtol=1e-2)
    close(own, shared)


def test_dynamic_weight_average_compares_two_windows():
    balancer, problem = DynamicWeightAverage(TWO, window=2, temperature=2.0), Linear([1.0, 0.0], [0.0, 1.0])
    for losses in ((4.0, 2.0), (2.0, 2.0), (1.0, 2.0), (0.5, 2.0)):
        shared, _ = problem.step(balancer, *losses)
        close(shared, [1.0, 1.0])
    shared, _ = problem.step(balancer, 9.0, 9.0)
    fast, slow = torch.tensor(0.75 / 3.0 / 2).exp(), torch.tensor(2.0 / 2.0 / 2).exp()
    close(shared, torch.stack((fast, slow)) * 2 / (fast + slow))


@pytest.mark.parametrize(("losses", "rates"), [((1.0, 1.0), (1.0, 1.0)), ((1.5, 0.5), (1.5, 0.5))])
def test_gradnorm_settles_where_gradients_are_as_long_as_tasks_are_slow(losses, rates):
    balancer, problem = GradNorm(TWO, alpha=1.0, lr=0.005), Linear([3.0, 4.0], [0.6, 0.8])
    shared, own = problem.step(balancer, 1.0, 1.0)
    close(shared, [3.6, 4.8])
    close(own, [1.0, 1.0])
    for _ in range(1500):
        problem.step(balancer, *losses)
    first, second = rates[0] / 5, rates[1] / 1  # lengths 5 and 1: weight · length is as the rate
    wanted = torch.tensor([first, second]) * 2 / (first + second)
    close(balancer.task_weights, wanted, atol=0.02, rtol=0)
    close(balancer.task_weights.sum(), 2.0)


def test_pcgrad_projects_conflicts_away():
    shared, own = Linear([1.0, 1.0], [-2.0, 1.0]).step(PCGrad(TWO), 3.0, 4.0)
    close(shared, [-0.9, 2.7])  # (0.6, 1.2) and (-1.5, 1.5)
    close(own, [1.0, 1.0])
    shared, _ = Linear([1.0, 0.5], [0.5, 1.0]).step(PCGrad(TWO), 3.0, 4.0)
    close(shared, [1.5, 1.5])


def test_pcgrad_of_three_depends_on_an_order_that_is_repeatable():
    tasks = (*TWO, TASKS["normals"])
    slopes = torch.tensor([[1.0, 0.0], [-1.0, 0.4], [-0.5, -1.0]])

    def steps(balancer, count):
        found = []
        for _ in range(count):
            point = nn.Parameter(torch.zeros(2))
            losses = {task.name: 1 + slope @ point for task, slope in zip(tasks, slopes, strict=True)}
            balancer(losses, dict.fromkeys(losses, True), parameters=[point]).backward()
            found.append(point.grad)
        return torch.stack(found)

    whole, again = steps(PCGrad(tasks), 12), PCGrad(tasks)
    steps(again, 6)
    resumed = PCGrad(tasks)
    resumed.load_state_dict(again.state_dict())
    close(steps(resumed, 6), whole[6:], atol=0, rtol=0)
    assert len(whole.unique(dim=0)) > 1
    assert torch.stack([naive_pcgrad(slopes, seed) for seed in range(12)]).allclose(whole)


def naive_pcgrad(gradients, seed):
    """Algorithm 1 of the paper, on the gradients themselves."""
    generator = torch.Generator().manual_seed(seed)
    projected = []
    for number, gradient in enumerate(gradients):
        gradient = gradient.clone()
        for other in torch.randperm(len(gradients), generator=generator).tolist():
            if other != number and gradient @ gradients[other] < 0:
                gradient -= gradient @ gradients[other] / gradients[other].square().sum() * gradients[other]
        projected.append(gradient)
    return torch.stack(projected).sum(dim=0)


def test_dual_balancing_makes_losses_and_lengths_alike():
    problem = Linear([3.0, 4.0], [4.0, 3.0])
    shared, own = problem.step(DBMTL(TWO), 10.0, 2.5)
    # of the logarithms: (0.3, 0.4) of length 0.5 and (1.6, 1.2) of length 2
    close(shared, [2.8, 2.8])
    close(own, [0.1, 0.4])
    in_other_units = Linear([300.0, 400.0], [4.0, 3.0])
    close(in_other_units.step(DBMTL(TWO), 1000.0, 2.5)[0], [2.8, 2.8])


def test_the_momentum_of_dual_balancing_averages_gradients_of_logarithms():
    balancer = DBMTL(TWO, momentum=0.75, numbers=4)
    Linear([4.0, 4.0], [8.0, -8.0]).step(balancer, 2.0, 2.0)
    shared, own = Linear([4.0, 8.0], [8.0, 8.0]).step(balancer, 1.0, 1.0)
    one, other = torch.tensor([1.375, 2.375]), torch.tensor([2.75, 1.25])
    close(balancer.average[:, :2], torch.stack((one, other)))
    close(shared, one * other.norm() / one.norm() + other)
    close(own, [1.0, 1.0])


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_task_without_labels_neither_counts_nor_drifts(make):
    torch.manual_seed(0)
    balancer, problem = make(TWO), Linear([3.0, 4.0], [-4.0, 3.0])
    for losses in torch.rand(4, 2) + 0.5:
        problem.step(balancer, *losses.tolist())
    before = {name: buffer.clone() for name, buffer in balancer.state_dict().items()}
    for _ in range(4):
        shared, own = problem.step(balancer, 2.0, 0.0, present=(True, False))
    close(shared / shared.norm(), [0.6, 0.8])
    assert own[0] > 0
    assert own[1] == 0
    for name, buffer in balancer.state_dict().items():
        if name != "batches":
            # windows: (last and before, T); the others: (T, ...)
            of_task = (slice(None), 1) if name == "means" else 1
            assert torch.equal(buffer[of_task], before[name][of_task]), name


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_resumed_it_goes_on_alike(make):
    torch.manual_seed(0)
    batches = (torch.rand(12, 2) + 0.5).tolist()
    problem, balancer = Linear([3.0, 4.0], [-4.0, 2.0]), make(TWO)
    for losses in batches[:7]:
        problem.step(balancer, *losses)
    resumed = make(TWO)
    resumed.load_state_dict(balancer.state_dict())
    for losses in batches[7:]:
        for one, other in zip(problem.step(balancer, *losses), problem.step(resumed, *losses), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_loss_that_is_not_finite_leaves_no_trace(make):
    balancer, problem = make(TWO), Linear([3.0, 4.0], [-4.0, 3.0])
    for _ in range(3):
        problem.step(balancer, 1.0, 2.0)
    for bad in (float("nan"), float("inf")):
        problem.step(balancer, bad, 2.0)
    assert all(buffer.isfinite().all() for buffer in balancer.state_dict().values())
    assert all(gradient.isfinite().all() for gradient in problem.step(balancer, 1.0, 2.0))


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_the_scale_of_16_bit_gradients_changes_nothing(make):
    problem = Linear([3.0, 4.0], [-4.0, 2.0])
    plain = [gradient.clone() for gradient in problem.step(make(TWO), 1.0, 2.0)]
    for one, other in zip(problem.step(make(TWO), 1.0, 2.0, scale=2.0**16), plain, strict=True):
        close(one, other)


def test_adam_is_that_of_torch():
    torch.manual_seed(0)
    numbers = nn.Parameter(torch.zeros(3))
    ours, theirs, sums = TaskAdam(size=3, lr=0.1), torch.optim.Adam([numbers], lr=0.1), torch.zeros(3)
    for gradient in torch.randn(5, 3):
        sums += ours(gradient, torch.tensor([True, True, False]))
        numbers.grad = gradient
        theirs.step()
    close(sums, [*numbers[:2].tolist(), 0.0])


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no tasks"):
        Fixed(())
    with pytest.raises(ValueError, match="no loss of depth among semseg"):
        Fixed(TWO)({"semseg": torch.ones(())}, {"semseg": True, "depth": True})
    with pytest.raises(ValueError, match="give the parameters"):
        PCGrad(TWO)(Linear([1.0, 0.0], [0.0, 1.0]).losses(1.0, 1.0), {"semseg": True, "depth": True})


def test_examples():
    assert doctest.testmod(pamm.losses.balance.pcgrad).failed == 0
