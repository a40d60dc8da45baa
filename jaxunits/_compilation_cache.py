"""Compiled programs that are kept between runs."""

from __future__ import annotations

from pathlib import Path

import jax

from ._cache_folder import is_writable, user_cache


def use_compilation_cache(folder: str | Path | None = None) -> Path | None:
    """Keep compiled programs in a folder, so that the next run does not compile them again.

    Programs call this once, before anything is compiled; the library never does so itself. The
    content of the folder is run as code: it has to be the user's own.

    Args:
      folder: the folder; by default that of `JAX_COMPILATION_CACHE_DIR`, otherwise a folder of
        jaxunits in the user's cache.

    Returns:
      The folder; None if it cannot be written, with a warning, and nothing is kept.
    """
    given = folder or jax.config.values["jax_compilation_cache_dir"]
    above = Path(given).absolute() if given else user_cache()
    path = above if given or above is None else above / "compilation"
    if path is None or not is_writable(path):
        jax.config.update("jax_compilation_cache_dir", None)
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    # JAX keeps what took a second by default; building a network is many programs of less.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return path
