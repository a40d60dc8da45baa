"""Measurements of a run folder, read for tests."""

import jaxunits as ju


def measured(folder, kind, layer, **settings):
    """The one measurement of a kind and layer with these settings."""
    paths = (folder / "measurements").glob(f"{kind}_*.nc")
    results = [ju.results.read(path) for path in sorted(paths)]
    wanted = {"kind": kind, "layer": layer, **settings}
    (found,) = (each for each in results if wanted.items() <= each.attrs.items())
    return found
