"""Errors for names that are not in a list."""

import difflib
from collections.abc import Iterable


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
