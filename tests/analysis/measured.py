"""Measurements and the page of a run folder, read for tests."""

import re
from urllib.parse import unquote

import jaxunits as ju


def measured(folder, kind, layer, **settings):
    """The one measurement of a kind and layer with these settings."""
    paths = (folder / "measurements").glob(f"{kind}_*.nc")
    results = [ju.results.read(path) for path in sorted(paths)]
    wanted = {"kind": kind, "layer": layer, **settings}
    (found,) = (each for each in results if wanted.items() <= each.attrs.items())
    return found


def findings(page):
    """The sentences at the head of each section of a report, by its title."""
    found = {}
    for title, rest in re.findall(r'<h2 id="section-\d+">(.*?)</h2>(.*?)(?=<h2)', page, re.DOTALL):
        head = re.match(r'\s*<div class="findings">(.*?)</div>', rest, re.DOTALL)
        found[title] = re.findall("<p>(.+?)</p>", head.group(1), re.DOTALL) if head else []
    return found


def linked_files(page):
    """What a page links to beside it."""
    links = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page)
    return [unquote(link) for link in links]
