"""Figures drawn by several processes are those that one draws, and no process is left behind."""

import json
import os
import signal
import sys

import pytest

from jaxunits.analysis.drawing import all_drawn
from tests.processes import LIMIT, code, output_of, running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")

# Three processes on any machine.
_START = """
    import json, os, signal, sys, time
    from jaxunits.analysis.drawing import all_drawn
    assert "jax" not in sys.modules
    os.sched_getaffinity = lambda process: {0, 1, 2}
"""

_REPORT = """
    def report(number):
        os.write(1, f"{os.getpid()}\\n".encode())
        time.sleep(1)
"""


def test_items_are_drawn_in_order_by_several_processes():
    program = """
    def draw(number):
        time.sleep(0.3 if number == 0 else 0.01)
        return number**2, os.getpid()

    print(json.dumps(all_drawn(draw, range(20))))
    """
    drawn = json.loads(output_of(*code(_START + program)).splitlines()[-1])
    assert [value for value, _ in drawn] == [number**2 for number in range(20)]
    assert 1 < len({process for _, process in drawn}) <= 3


def test_what_draws_may_draw_by_several_processes_itself():
    program = """
    def row(y):
        return all_drawn(lambda x: [x * y, os.getpid()], range(6))

    print(json.dumps(all_drawn(row, range(5))))
    """
    drawn = json.loads(output_of(*code(_START + program)).splitlines()[-1])
    assert [[value for value, _ in row] for row in drawn] == [
        [x * y for x in range(6)] for y in range(5)
    ]
    assert len({process for row in drawn for _, process in row}) > 3


def test_one_process_draws_where_jax_is_loaded():
    assert "jax" in sys.modules
    assert set(all_drawn(lambda _: os.getpid(), range(9))) == {os.getpid()}


def test_what_goes_wrong_is_raised_here_and_says_where():
    program = """
    import traceback
    import jaxunits as ju

    def draw_wrongly(number):
        if number == 4:
            raise ju.InputError("number 4 has no name")
        return number

    try:
        all_drawn(draw_wrongly, range(9))
    except ju.InputError as error:
        print("in draw_wrongly" in "".join(traceback.format_exception(error)), error)
    """
    assert output_of(*code(_START + program)).splitlines()[-1] == "True number 4 has no name"


def test_a_killed_process_is_an_error():
    program = """
    def draw(number):
        if number == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        all_drawn(draw, range(9))
    except ChildProcessError as error:
        print(error)
    """
    found = output_of(*code(_START + program)).splitlines()[-1]
    assert "ended from outside" in found
    assert "fewer layers or experiments" in found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_processes(number):
    program = """
    from jaxunits.train.start import stoppable

    with stoppable():
        try:
            all_drawn(lambda _: all_drawn(report, range(100_000)), range(3))
        except KeyboardInterrupt:
            print("stopped")
    """
    with running(*code(_START + _REPORT + program)) as process:
        assert len({process.stdout.readline() for _ in range(9)}) == 9
        process.send_signal(number)
        # Output ends when the last of the ten ends, which draws for half a day otherwise.
        output, _ = process.communicate(timeout=LIMIT)
    assert output.splitlines()[-1] == "stopped"


def test_no_process_outlives_a_killed_program():
    program = """
    all_drawn(report, range(100_000))
    """
    with running(*code(_START + _REPORT + program)) as process:
        assert len({process.stdout.readline() for _ in range(3)}) == 3
        process.kill()
        process.communicate(timeout=LIMIT)
