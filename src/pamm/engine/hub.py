"""Networks on the hub, in the words of its own library: ``save_pretrained``, ``from_pretrained``, ``push_to_hub``.

What is written is what :func:`pamm.load` reads: ``model.safetensors`` and ``config.json``. Beside them lie the model
card, ``README.md``, and ``scores.json``, from which its tables are made.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import torch
from huggingface_hub import HfApi, ModelCard, ModelHubMixin
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from pamm.engine.devices import pick_device
from pamm.engine.weights import CARD_FILE, HubOptions, load_weights
from pamm.models import PAMM, fuse

_FAILURES: tuple[type[Exception], ...] = (*HfHubHTTPError.__bases__, ValueError, RuntimeError)
"""What the client raises where the hub, the way there or the disk fails: errors of its HTTP library, which differs by
version, and OSError; of values it does not take; of the part of it that uploads large files."""


class HubError(ValueError):
    """The hub did not take what was to be written to it."""


class HubPredictor(ModelHubMixin):
    """What predictors do with the hub; see :class:`pamm.Predictor`."""

    model: PAMM

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        device: str | torch.device = "cpu",
        fused: bool = False,
        **model_kwargs: Any,
    ) -> Self:
        """Load a predictor from a folder or the hub.

        Weights are read from safetensors alone, and must be those of their config, each of them.

        Args:
            pretrained_model_name_or_path: a shipped name, a folder, or a hub name (``organisation/name``, or
                ``organisation/name@revision``).
            force_download: whether files are fetched anew although they are here.
            token: token of the hub; the one that is stored here, or in ``HF_TOKEN``, if left out.
            cache_dir: folder that keeps what was fetched; the hub's usual one if left out.
            local_files_only: whether only files that were fetched before are used.
            revision: branch, tag or commit.
            device: where to predict, by name; ``auto`` takes the fastest there is.
            fused: whether the network is made for predicting only, see :func:`pamm.models.fuse`.
            **model_kwargs: options of the predictor, ``resize``, ``precision`` and ``tasks``.

        Raises:
            ValueError: if there are no such weights, or they do not fit their config.
        """
        hub = HubOptions(
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        model = load_weights(pretrained_model_name_or_path, map_location=pick_device(device), hub=hub)
        make: Callable[..., Self] = cls
        return make(fuse(model) if fused else model, **model_kwargs)

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        config: Any = None,  # noqa: ANN401  (of the library; the network has its own)
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: Mapping[str, Any] | None = None,
        scores: Sequence[str | Path] = (),
        license: str | None = None,
        card: str | None = None,
        **push_to_hub_kwargs: Any,
    ) -> str | None:
        """Write the network to a folder that :func:`pamm.load` reads, with its card and scores.

        Low-rank adapters are merged. A card that somebody edited stays as it is, unless another one is given.

        Args:
            save_directory: where to write; files of the same names are replaced.
            config: nothing: the network's own config is written.
            repo_id: what the weights are to be called on the hub; the last two parts of the folder if left out.
            push_to_hub: whether to push them there, too.
            model_card_kwargs: the last three options, in the words of ``huggingface_hub``.
            scores: files of scores as ``pamm eval --json`` writes them; later ones win where the images are the same.
            license: the hub's short name of the licence of the weights, for example ``mit``.
            card: text of a card of your own.
            **push_to_hub_kwargs: options of :meth:`push_to_hub`.

        Returns:
            The URL of the commit if it was pushed.

        Raises:
            ValueError: if the network is fused, a file of scores cannot be read or has no task of this network, the
                name or licence is none that the hub knows, or the folder cannot be written to.
            HubError: if the hub does not take it.
            TypeError: if there are options of pushing and it is not to be pushed.
        """
        if push_to_hub_kwargs and not push_to_hub:
            raise TypeError(
                f"save_pretrained does not push and has no {', '.join(push_to_hub_kwargs)}: look at the names"
            )
        # scores take seconds to import, and predicting does without
        from pamm.engine.scored_weights import edited_card

        _refuse_config(config)
        folder = Path(save_directory)
        if repo_id is not None or push_to_hub:
            _check_name(repo_id or folder.resolve().name)
        options = {"scores": scores, "license": license, "card": card} | dict(model_card_kwargs or {})
        self._write(folder, name=repo_id or Path(*folder.resolve().parts[-2:]).as_posix(), **options)
        if not push_to_hub:
            return None
        options["card"] = options["card"] or edited_card(folder)
        return self.push_to_hub(repo_id or folder.resolve().name, **options, **push_to_hub_kwargs)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        config: Any = None,  # noqa: ANN401  (as above)
        commit_message: str = "Weights, config, card and scores",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
        scores: Sequence[str | Path] = (),
        license: str | None = None,
        card: str | None = None,
        allow_patterns: list[str] | str | None = None,
        ignore_patterns: list[str] | str | None = None,
        delete_patterns: list[str] | str | None = None,
    ) -> str:
        """Push the network to the hub in one commit, with its card and scores.

        A card there that somebody edited is not written over: open a pull request, or push that very card.

        Args:
            repo_id: ``organisation/name``; the repository is made if need be.
            config: nothing: the network's own config is written.
            commit_message: what the commit is called.
            private: whether a new repository is private; as the organisation has it if left out.
            token: token of the hub that may write; the one that is stored here, or in ``HF_TOKEN``, if left out.
            branch: branch to push to, made if need be; the main one if left out.
            create_pr: whether the commit becomes a pull request.
            model_card_kwargs: the next three options, in the words of ``huggingface_hub``.
            scores: as for :meth:`save_pretrained`.
            license: likewise.
            card: likewise.
            allow_patterns: patterns of the only files to push.
            ignore_patterns: patterns of files that are not pushed.
            delete_patterns: patterns of files that are removed from the repository.

        Returns:
            The URL of the commit.

        Raises:
            ValueError: as for :meth:`save_pretrained`.
            HubError: if the hub does not take it, or has a card that somebody edited.
        """
        _refuse_config(config)
        _check_name(repo_id)
        options = {"scores": scores, "license": license, "card": card} | dict(model_card_kwargs or {})
        with TemporaryDirectory() as place:
            folder = Path(place) / "weights"
            self._write(folder, name=repo_id, **options)
            try:
                api = HfApi(token=token)
                api.create_repo(repo_id, private=private, exist_ok=True)
                if branch is not None:
                    api.create_branch(repo_id, branch=branch, exist_ok=True)
                if not create_pr:
                    _keep_card(api, repo_id, branch, new=folder / CARD_FILE)
                done = api.upload_folder(
                    repo_id=repo_id,
                    folder_path=folder,
                    commit_message=commit_message,
                    revision=branch,
                    create_pr=create_pr,
                    allow_patterns=allow_patterns,
                    ignore_patterns=ignore_patterns,
                    delete_patterns=delete_patterns,
                )
            except HubError:
                raise
            except _FAILURES as error:
                reason = str(error).strip().partition("\n")[0]
                raise HubError(
                    f"the hub did not take {repo_id!r} ({type(error).__name__}: {reason}): check the name and the "
                    "connection, and log in with `hf auth login`, or set HF_TOKEN to a token that may write"
                ) from error
        return str(done.commit_url)

    def generate_model_card(
        self, *, name: str, scores: Sequence[str | Path] = (), license: str | None = None
    ) -> ModelCard:
        """The card that is written, see :func:`pamm.engine.results.card.write_card`."""
        from pamm.engine.results.card import write_card
        from pamm.engine.scored_weights import read_all_scores

        config = self.model.config
        return ModelCard(write_card(config, name=name, runs=read_all_scores(scores, config), license=license))

    def _write(
        self, folder: Path, *, name: str, scores: Sequence[str | Path], license: str | None, card: str | None
    ) -> None:
        from pamm.engine.scored_weights import read_all_scores, save_scored

        runs = read_all_scores(scores, self.model.config)
        save_scored(self.model, folder, name=name, runs=runs, license=license, card=card)


def _check_name(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(f"{repo_id!r} is no name on the hub, such as organisation/name ({error})") from error


def _keep_card(api: HfApi, repo_id: str, branch: str | None, *, new: Path) -> None:
    """Refuse to write over a card on the hub that somebody edited."""
    from pamm.engine.results.card import is_unedited

    try:
        old = Path(api.hf_hub_download(repo_id, CARD_FILE, revision=branch, local_dir=new.parents[1] / "there"))
    except EntryNotFoundError:
        return
    if old.read_bytes() != new.read_bytes() and not is_unedited(old.read_text(encoding="utf-8", errors="replace")):
        raise HubError(
            f"somebody edited {CARD_FILE} of {repo_id!r} on the hub, and another one is to be pushed: open a pull "
            "request (`--pull_request`, create_pr=True), or push that card"
        )


def _refuse_config(config: object) -> None:
    if config is not None:
        raise ValueError("config: the network has its own, which is written: leave it out")
