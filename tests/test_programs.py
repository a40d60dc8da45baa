"""How programs start and are stopped."""

import io
import signal
import subprocess
import sys
import threading

import pytest

from jaxunits.analysis.progress import image_bar
from jaxunits.train.console import plain_console
from jaxunits.train.start import STOPPED, STOPPED_STATUS, stoppable
from tests.processes import LIMIT, code, running

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_becomes_a_keyboard_interrupt_and_handlers_come_back(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt), stoppable():
        signal.raise_signal(number)
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_threads_leave_signals_alone():
    before = [signal.getsignal(each) for each in SIGNALS]
    seen = []

    def work():
        with stoppable():
            seen.extend(signal.getsignal(each) for each in SIGNALS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_libraries_are_imported(number):
    """Also where an import would make another error of it."""
    program = f"""
        import signal
        from jaxunits.train.start import start_program
        start_program()
        try:
            signal.raise_signal({int(number)})
        except BaseException as error:
            raise ImportError from error
    """
    with running(*code(program)) as process:
        output, _ = process.communicate(timeout=LIMIT)
    assert (output, process.returncode) == (f"{STOPPED}\n", STOPPED_STATUS)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_after_the_work_changes_nothing(number):
    program = f"""
        import atexit, os
        from jaxunits.train.start import end_program, start_program
        start_program()
        atexit.register(os.kill, os.getpid(), {int(number)})
        class Last:
            kill, process = os.kill, os.getpid()
            def __del__(self):
                Last.kill(Last.process, {int(number)})
        last = Last()
        end_program(3)
    """
    with running(*code(program)) as process:
        output, _ = process.communicate(timeout=LIMIT)
    assert (output, process.returncode) == ("", 3)


@pytest.mark.parametrize("module", ["train", "analysis", "jaxunits"])
def test_a_program_imports_nothing_large_before_it_can_be_stopped(module):
    program = f"""
        import runpy, sys
        from jaxunits.train import start
        def started():
            print(sorted({{"jax", "numpy", "rich", "tyro"}} & set(sys.modules)))
            sys.exit()
        start.start_program = started
        runpy.run_module("{module}", run_name="__main__", alter_sys=True)
    """
    with running(*code(program)) as process:
        output, _ = process.communicate(timeout=LIMIT)
    assert (output, process.returncode) == ("[]\n", 0)


@pytest.mark.parametrize("module", ["train", "analysis"])
def test_too_few_open_files(module):
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -n 32; exec {sys.executable} -m {module} nothing"],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: this process may have 32 files open at once, and at least 256 are needed: raise "
        "the limit (ulimit -n 256)\n"
    )


def test_a_limit_that_may_be_raised_is():
    program = """
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
        from jaxunits.train.start import start_program
        start_program()
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    """
    with running(*code(program)) as process:
        output, _ = process.communicate(timeout=LIMIT)
    assert output == "256\n"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", ["run[1]", "[bold]x", "a:+1:b", "{c}"])
def test_names_are_printed_as_they_are(name, terminal):
    page = io.StringIO()
    console = plain_console(file=page, force_terminal=terminal, width=200)
    console.print(name)
    with image_bar(console, name) as progress:
        progress(1, 2)
    assert page.getvalue().count(name) >= 2
