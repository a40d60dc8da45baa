import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import jax, jaxunits as ju
print(ju.use_compilation_cache(*{arguments}))
jax.jit(lambda x: x * 3 + 1)(jax.numpy.arange(5.0)).block_until_ready()
"""


def run(arguments, **environment):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JAX_COMP")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=arguments)],
        check=True,
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )
    return done.stdout.strip()


def test_compiled_programs_are_kept_in_the_folder(tmp_path):
    folder = tmp_path / "compiled"
    assert run((str(folder),)) == str(folder)
    kept = sorted(folder.iterdir())
    assert kept
    assert run((str(folder),)) == str(folder)
    assert {path.stem for path in folder.iterdir()} == {path.stem for path in kept}


def test_the_folder_is_the_users_own_or_what_jax_was_told(tmp_path):
    told = run((), JAX_COMPILATION_CACHE_DIR=str(tmp_path / "told"))
    assert told == str(tmp_path / "told")
    assert run((), XDG_CACHE_HOME=str(tmp_path)) == str(tmp_path / "jaxunits" / "compilation")
