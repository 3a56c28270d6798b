"""Pages say ``<!-- insert: WHAT NAME -->`` where something stands that is made from the code as the site is built."""

import re
from collections.abc import Callable

from costs import presets
from options import commands, settings
from sources import record, source

INSERT = re.compile(r"^<!-- insert: (\w+)(?: ([\w.]+))? -->$", re.MULTILINE)
MAKERS: dict[str, Callable[..., str]] = {
    "commands": commands,
    "presets": presets,
    "record": record,
    "settings": settings,
    "source": source,
}
"""What can be inserted, as Markdown; each takes the argument if there is one."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in what a page asks for."""
    return INSERT.sub(lambda match: MAKERS[match[1]](*filter(None, [match[2]])), markdown)
