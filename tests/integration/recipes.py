"""
The recipes in C{docs/clients.md}.
"""

import re

from tests.integration.daemon import PROJECT

URL = "http://127.0.0.1:18789/v1"
"""
The gateway's URL in the recipes.
"""

_SECTION = r"^## {}$(?P<section>.*?)(?=^## |\Z)"
_BLOCK = r"^```{}\n(?P<text>.*?)^```$"


def recipe(client: str, language: str, url: str = URL) -> str:
    """
    Return the recipe for a client.

    @param client: The heading.
    @param language: The language of the code block below it.
    @param url: The gateway's URL.
    """
    page = (PROJECT / "docs" / "clients.md").read_text()
    flags = re.MULTILINE | re.DOTALL
    section = re.search(_SECTION.format(re.escape(client)), page, flags)
    assert section is not None, f"no section: {client}"
    block = re.search(_BLOCK.format(language), section["section"], flags)
    assert block is not None, f"no {language} in the section {client}"
    return block["text"].replace(URL, url)


__all__ = ["URL", "recipe"]
