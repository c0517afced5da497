"""What the documents refer to is there: pages, headings, and files of the project."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|pyi|pyx|pxi|md|service|socket))`")
_CODE = re.compile(r"```.*?```", re.DOTALL)
_EXAMPLES = ("switchboard/x/y.py", "tests/x/test_y.py")


def pages() -> list[str]:
    done = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split()


def anchors_of(text: str) -> set[str]:
    """The headings as GitHub makes anchors of them, and anchors of our own."""
    titles = re.findall(r"^#+ (.*)$", _CODE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title).strip().lower() for title in titles]
    own = re.findall(r'id="([^"]+)"', text)
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain} | set(own)


def dead_links(page: Path) -> Iterator[str]:
    for link in _LINK.findall(page.read_text("utf-8")):
        place, _, anchor = link.partition("#")
        there = page.parent / place if place else page
        if re.match(r"[a-z]+:", link):
            continue
        if not there.exists() or (anchor and anchor not in anchors_of(there.read_text("utf-8"))):
            yield link


@pytest.mark.parametrize("name", pages())
def test_links_lead_somewhere(name: str) -> None:
    assert not list(dead_links(ROOT / name))


@pytest.mark.parametrize("name", pages())
def test_files_that_are_named_are_there(name: str) -> None:
    page = ROOT / name
    found = set(_NAMED.findall(page.read_text("utf-8"))).difference(_EXAMPLES)
    roots = (ROOT, ROOT / "switchboard", page.parent)
    assert not [each for each in found if not any((root / each).exists() for root in roots)]
