"""Symbolic links are followed within the folder of the strategies, and nowhere else."""

from __future__ import annotations

import pytest

from reconciler.sources.base import TreeFile, followed_links

FILES = {"a.yaml": TreeFile("a"), "eu/b.yaml": TreeFile("b")}


def followed(links: dict[str, str], path: str) -> TreeFile:
    return followed_links(links, FILES | {link: TreeFile("link") for link in links})[path]


@pytest.mark.parametrize(
    ("path", "target", "blob"),
    [
        ("c.yaml", "a.yaml", "a"),
        ("c.yaml", "./eu/../a.yaml", "a"),
        ("eu/c.yaml", "../a.yaml", "a"),
        ("us/c.yaml", "../eu/b.yaml", "b"),
    ],
)
def test_a_link_stands_for_the_file_that_it_points_to(path: str, target: str, blob: str) -> None:
    assert followed({path: target}, path) == TreeFile(blob)


def test_links_to_links_are_followed() -> None:
    assert followed({"c.yaml": "d.yaml", "d.yaml": "a.yaml"}, "c.yaml") == TreeFile("a")


@pytest.mark.parametrize(
    "target", ["../secret.yaml", "/etc/passwd", "eu/../../x.yaml", "..", "../strategies/a.yaml"]
)
def test_a_link_that_leaves_the_folder_is_refused(target: str) -> None:
    file = followed({"c.yaml": target}, "c.yaml")

    assert "leaves the folder" in file.problem
    assert file.blob == ""


def test_a_link_to_itself_is_refused() -> None:
    assert "circle" in followed({"c.yaml": "d.yaml", "d.yaml": "c.yaml"}, "c.yaml").problem


@pytest.mark.parametrize("target", ["eu", "gone.yaml", "."])
def test_a_link_to_no_file_is_refused(target: str) -> None:
    assert "folder or to nothing" in followed({"c.yaml": target}, "c.yaml").problem
