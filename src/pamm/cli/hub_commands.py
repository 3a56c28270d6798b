"""The commands that give weights a card and take them to the hub."""

from pathlib import Path

from pamm.cli.console import console
from pamm.engine.predictor import Predictor
from pamm.engine.scored_weights import edited_card
from pamm.engine.weights import CARD_FILE, SCORES_FILE, find_weights


def hub_save_command(
    *,
    weights: str,
    out: Path,
    scores: list[Path] | None = None,
    name: str | None = None,
    license: str | None = None,
) -> int:
    """Write weights to a folder as they go to the hub: with a model card made of their scores.

    Args:
        weights: a shipped name, a folder of weights, or a hub name.
        out: folder to write to (`-o` for short); a card there that was edited stays, and weights with another
            edited card are refused.
        scores: scores of the weights as `pamm eval --json` writes them, besides those that lie with the weights; can be
            given several times.
        name: what the weights are to be called on the hub, `organisation/name`; the last two parts of `out` if left
            out.
        license: the hub's short name of the licence of the weights, for example `mit`.
    """
    predictor, files, card = _source(weights, scores, license)
    if card is not None and edited_card(out) not in (None, card):
        raise ValueError(
            f"{out / CARD_FILE} and the card of {weights} were both edited, and differ: move one of them away"
        )
    predictor.save_pretrained(out, repo_id=name, scores=files, license=license, card=card)
    console.print(f"{out}: look through {CARD_FILE}, then `pamm hub push --weights {out} --to NAME`", soft_wrap=True)
    return 0


def hub_push_command(
    *,
    weights: str,
    to: str,
    scores: list[Path] | None = None,
    license: str | None = None,
    private: bool = False,
    branch: str | None = None,
    pull_request: bool = False,
    message: str = "Weights, config, card and scores",
) -> int:
    """Push weights to the hub, with a model card made of their scores or the edited one that lies with them.

    Args:
        weights: a shipped name, a folder of weights, or a hub name.
        to: where to push, `organisation/name`; the repository is made if need be.
        scores: as for `pamm hub save`.
        license: likewise.
        private: make a new repository a private one.
        branch: branch to push to; the main one if left out.
        pull_request: open a pull request instead of changing the branch.
        message: what the commit is called.
    """
    predictor, files, card = _source(weights, scores, license)
    place = predictor.push_to_hub(
        to,
        scores=files,
        license=license,
        card=card,
        private=private or None,
        branch=branch,
        create_pr=pull_request,
        commit_message=message,
    )
    console.print(f"Pushed: {place}", soft_wrap=True)
    return 0


def _source(weights: str, scores: list[Path] | None, license: str | None) -> tuple[Predictor, list[Path], str | None]:
    """Weights, files of their scores, and their card if somebody edited it."""
    folder = find_weights(weights)
    card = edited_card(folder)
    if card is not None and (scores or license):
        raise ValueError(
            f"{folder / CARD_FILE} was written or edited by somebody, so it goes as it is: write scores and licence "
            "into it, or move it away for a new one"
        )
    own = folder / SCORES_FILE
    return Predictor.from_pretrained(folder), [*([own] if own.is_file() else []), *(scores or [])], card
