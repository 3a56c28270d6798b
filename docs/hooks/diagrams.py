"""SVG pictures become part of the page, so that they take its colours, dark or light."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

IMAGE = re.compile(r'<img alt="([^"]*)" src="[^"]*?(images/[^"/]+\.svg)"\s*/>')
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def on_page_content(html: str, *, config: MkDocsConfig, **_: object) -> str:
    """Put each diagram in the place of the picture that names it, and its style once."""
    styled = False

    def drawn(match: re.Match[str]) -> str:
        nonlocal styled
        text = (Path(config.docs_dir) / match[2]).read_text()
        if 'class="diagram"' not in text:
            return match[0]
        text = STYLE.sub("", text, count=1) if styled else text
        styled = True
        # a label for those who cannot see it
        return text.replace("<svg ", f'<svg role="img" aria-label="{match[1]}" ', 1)

    return IMAGE.sub(drawn, html)
