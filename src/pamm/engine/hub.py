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

from pamm.engine.devices import pick_device
from pamm.engine.weights import HubOptions, load_weights
from pamm.models import PAMM, fuse


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
            **model_kwargs: options of the predictor, ``resize`` and ``precision``.

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
            ValueError: if the network is fused, a file of scores cannot be read or has no task of this network, or
                the folder cannot be written to.
            HubError: if the hub does not take it.
        """
        # scores take seconds to import, and predicting does without
        from pamm.engine.scored_weights import edited_card

        _refuse_config(config)
        folder = Path(save_directory)
        options = {"scores": scores, "license": license, "card": card} | dict(model_card_kwargs or {})
        self._write(folder, name=repo_id or Path(*folder.parts[-2:]).as_posix(), **options)
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
        **patterns: Any,
    ) -> str:
        """Push the network to the hub in one commit, with its card and scores.

        Args:
            repo_id: ``organisation/name``; the repository is made if need be.
            config: nothing: the network's own config is written.
            commit_message: what the commit is called.
            private: whether a new repository is private; as the organisation has it if left out.
            token: token of the hub that may write; the one that is stored here, or in ``HF_TOKEN``, if left out.
            branch: branch to push to; the main one if left out.
            create_pr: whether the commit becomes a pull request.
            model_card_kwargs: the next three options, in the words of ``huggingface_hub``.
            scores: as for :meth:`save_pretrained`.
            license: likewise.
            card: likewise.
            **patterns: ``allow_patterns``, ``ignore_patterns`` and ``delete_patterns`` of files, as for
                ``huggingface_hub.HfApi.upload_folder``.

        Returns:
            The URL of the commit.

        Raises:
            ValueError: as for :meth:`save_pretrained`.
            HubError: if the hub does not take it.
        """
        _refuse_config(config)
        options = {"scores": scores, "license": license, "card": card} | dict(model_card_kwargs or {})
        with TemporaryDirectory() as place:
            folder = Path(place) / "weights"
            self._write(folder, name=repo_id, **options)
            try:
                api = HfApi(token=token)
                api.create_repo(repo_id, private=private, exist_ok=True)
                done = api.upload_folder(
                    repo_id=repo_id,
                    folder_path=folder,
                    commit_message=commit_message,
                    revision=branch,
                    create_pr=create_pr,
                    **patterns,
                )
            except Exception as error:
                # the client raises errors of several libraries: of the hub, of HTTP, of the disk
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


def _refuse_config(config: object) -> None:
    if config is not None:
        raise ValueError("config: the network has its own, which is written: leave it out")
