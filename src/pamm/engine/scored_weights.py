"""Weights with what is known about them: the card and the scores beside them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from pamm.engine.results.card import is_unedited, write_card
from pamm.engine.results.runs import Run, holds_scores, read_scores
from pamm.engine.scored_sets import plain_results
from pamm.engine.weights import CARD_FILE, SCORES_FILE, save_weights
from pamm.models import PAMM, PAMMConfig


def save_scored(
    model: PAMM,
    folder: Path,
    *,
    name: str,
    runs: Sequence[Run] = (),
    license: str | None = None,
    card: str | None = None,
    state: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a network's weights and config to a folder, with its card and scores.

    Args:
        model: the network.
        folder: where to write; files of the same names are replaced, but for a card that somebody edited. Scores that
            lie there are of the weights that are replaced, so they go if there are no others.
        name: what the weights are called.
        runs: the network's scores.
        license: the hub's short name of the licence of the weights.
        card: text of a card, instead of the one made of the scores.
        state: the network's weights, if its own are not whole.

    Raises:
        ValueError: as for :func:`pamm.engine.weights.save_weights`; if the licence is not the hub's name of one, or
            the folder holds a ``scores.json`` of something else.
    """
    old = folder / SCORES_FILE
    if old.exists() and not holds_scores(old):
        raise ValueError(f"{old}: holds no scores of this package, so it stays: move it away, or choose another folder")
    if not card:
        edited = _has_edited_card(folder)
        card = None if edited else write_card(model.config, name=name, runs=runs, license=license)
    results = {run.data: run.result for run in runs}
    plain = plain_results({"": runs[0].result} if len(runs) == 1 else results)
    scores = json.dumps(plain, indent=2) + "\n" if runs else None
    save_weights(model, folder, card=card, scores=scores, state=state)
    if not runs:
        old.unlink(missing_ok=True)


def _has_edited_card(folder: Path) -> bool:
    """Whether a folder has a card that is not ours to write over, as one that cannot be read is not either."""
    try:
        return edited_card(folder) is not None
    except ValueError:
        return True


def edited_card(folder: Path) -> str | None:
    """The card of a folder, if there is one that somebody wrote or edited.

    Raises:
        ValueError: if it cannot be read.
    """
    path = folder / CARD_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no readable text ({error}): mend it or remove it") from error
    return None if not text.strip() or is_unedited(text) else text


def read_all_scores(files: Sequence[str | Path], config: PAMMConfig) -> list[Run]:
    """Scores of several files, those of the same images once.

    Args:
        files: as ``pamm eval --json`` writes them; later ones win.
        config: config of the network that was scored.

    Raises:
        ValueError: if a file cannot be read, or has no task of the network.
    """
    names = [task.name for task in config.tasks]
    runs: dict[str, Run] = {}
    for file in files:
        try:
            found = read_scores(Path(file))
        except OSError as error:
            raise ValueError(f"{file}: {error.strerror}: give a file that `pamm eval --json` wrote") from error
        for run in found:
            if not set(names) & set(run.result.tasks):
                raise ValueError(
                    f"{file}: holds scores of {', '.join(run.result.tasks)}, the network predicts {', '.join(names)}: "
                    "give scores of this network"
                )
            runs[run.data] = run
    return list(runs.values())
