"""Links to files of the repository that lie outside docs/ lead to a page of the site that shows the file.

In the repository such a link is a plain relative path, so that it works there, too.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

LINK = re.compile(r"\]\(((?:\.\./)+[^)#:\s]+)\)")
LANGUAGES = {".yaml": "yaml", ".py": "python", ".toml": "toml"}
FOLDER = "repository"


def outside(page: str, link: str) -> str | None:
    """Path in the repository of what ``page``, below docs/, links to; None if that is below docs/, too."""
    path = os.path.normpath(PurePosixPath("docs", page).parent / link)
    return None if path.startswith("docs/") else path


def shown(path: str, text: str) -> str:
    """The page of one file: Markdown as it is, other files as code."""
    if path.endswith(".md"):
        return text
    return f"# {path}\n\n````{LANGUAGES.get(PurePosixPath(path).suffix, 'text')}\n{text}\n````\n"


def name_of(path: str) -> str:
    """The page, below docs/, of a file of the repository."""
    return f"{FOLDER}/{path.removesuffix('.md')}.md"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each file that is linked to."""
    root = Path(config.config_file_path).parent
    for file in [file for file in files if file.is_documentation_page()]:
        for link in LINK.findall(file.content_string):
            path = outside(file.src_uri, link)
            if path and (root / path).is_file() and not files.get_file_from_path(name_of(path)):
                page = File.generated(config, name_of(path), content=shown(path, (root / path).read_text()))
                page.inclusion = InclusionLevel.NOT_IN_NAV
                files.append(page)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links to these pages."""
    source = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        path = outside(source, match[1])
        return f"]({os.path.relpath(name_of(path), PurePosixPath(source).parent)})" if path else match[0]

    return markdown if source.startswith(FOLDER) else LINK.sub(turned, markdown)
