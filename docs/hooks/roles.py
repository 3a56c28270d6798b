"""Docstrings name other objects in Sphinx's way, which editors know; here they become links where a page has them."""

import re
from typing import Any

from griffe import Extension, NameResolutionError, Object

ROLE = re.compile(r":\w+:`(~?)([\w.]+)`")
LITERAL = re.compile(r"::$", re.MULTILINE)
TICKS = re.compile(r"``([^`]+)``")


def linked(match: re.Match[str], user: Object) -> str:
    """A link to an object if the site has it, else its name, as seen from the one whose docstring names it."""
    short, name = match.groups()
    title = name.rpartition(".")[2] if short else name
    try:
        name = user.resolve(name)
    except NameResolutionError:
        pass  # a full name
    return f'<autoref identifier="{name}" optional><code>{title}</code></autoref>'


class Roles(Extension):
    """Turns the markup of docstrings into Markdown."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Turn one docstring, once all objects are known."""
        if obj.docstring is not None:
            text = LITERAL.sub(":", obj.docstring.value)
            obj.docstring.value = ROLE.sub(lambda match: linked(match, obj), TICKS.sub(r"`\1`", text))
