"""Words for names and tensors that are not the wanted ones."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

_NAMED = 3
"""How many of a list are named."""


def unknown_name(what: str, name: object, known: Iterable[str]) -> ValueError:
    """Error for a name that is not in a list, with the nearest names that are.

    Args:
        what: kind of thing that was named.
        name: the name as it was given.
        known: the names that exist.

    Example:
        >>> unknown_name("preset", "pamm_tinny", ["pamm_tiny", "pamm_large"])
        ValueError("there is no preset 'pamm_tinny': did you mean 'pamm_tiny'?")
    """
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names)}"
    return ValueError(f"there is no {what} {name!r}: {hint}")


def misfits(
    found: Mapping[str, Sequence[int]],
    wanted: Mapping[str, Sequence[int]],
    *,
    stranger: str,
    label: Callable[[str], str] = str,
) -> str:
    """How tensors differ from those that are wanted, in words; empty if they do not.

    Args:
        found: shapes by name.
        wanted: likewise.
        stranger: what a tensor is that is not wanted.
        label: what a name is called; tensors called alike are listed once.
    """
    problems = {
        "missing": [label(name) for name in wanted if name not in found],
        stranger: [label(name) for name in found if name not in wanted],
        "of another shape": [
            f"{label(name)} {tuple(found[name])} instead of {tuple(shape)}"
            for name, shape in wanted.items()
            if name in found and tuple(found[name]) != tuple(shape)
        ],
    }
    return "; ".join(
        f"{len(names)} {what} ({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"
        for what, names in ((what, list(dict.fromkeys(names))) for what, names in problems.items())
        if names
    )
