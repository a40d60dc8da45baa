"""Without a folder for the cache everything goes on, with one warning."""

import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxunits as ju
from jaxunits import _cache_folder
from jaxunits.data import _cache


@pytest.fixture(params=["no home", "not writable"])
def no_cache(request, tmp_path, monkeypatch):
    """A user without a home, or whose cache cannot be made (also by the system's administrator)."""
    (tmp_path / "file").write_text("")
    path = {
        "no home": Path("~/.cache/jaxunits"),
        "not writable": tmp_path / "file" / "jaxunits",
    }[request.param]
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: path)
    monkeypatch.setattr(_cache_folder, "_refused", set())
    monkeypatch.chdir(tmp_path)
    folder = jax.config.values["jax_compilation_cache_dir"]
    yield path
    jax.config.update("jax_compilation_cache_dir", folder)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_everything_goes_on_with_one_warning(no_cache):
    jax.config.update("jax_compilation_cache_dir", None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ju.use_compilation_cache() is None
        assert ju.use_compilation_cache() is None
        _cache.write(_cache.path_of("labels", "key"), {"labels": np.arange(3)})
        assert _cache.read(_cache.path_of("labels", "key")) == {}
    assert len(caught) == 1
    assert str(caught[0].message).startswith(
        f"nothing is kept between runs, since {no_cache} cannot be written ("
    )
    assert jax.config.values["jax_compilation_cache_dir"] is None


def test_a_folder_for_compiled_programs_that_cannot_be_written(no_cache, tmp_path):
    place = tmp_path / "file" / "compiled"
    with pytest.warns(UserWarning, match=f"{place} cannot be written"):
        assert ju.use_compilation_cache(place) is None
    assert jax.config.values["jax_compilation_cache_dir"] is None
