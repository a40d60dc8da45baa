"""Programs in processes of their own, and several of them as one job."""

import contextlib
import os
import socket
import subprocess
import sys
import textwrap

# Seconds. No machine is so loaded that what takes a minute takes longer; only a hang does.
LIMIT = 1800


@contextlib.contextmanager
def running(*arguments, **environment):
    """A Python process with pipes for input and all output; killed and reaped whatever happens."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process):
    """Wait until a process has ended well; what it printed."""
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    return output


def output_of(*arguments, **environment):
    """What a process prints that has to end well."""
    with running(*arguments, **environment) as process:
        return finish(process)


def code(program):
    """Arguments that run a program's text."""
    return "-c", textwrap.dedent(program)


def in_two_processes(program, folder):
    """Run a program twice; its arguments are the folder, an address and the process's number."""
    with contextlib.ExitStack() as stack:
        address = free_address()
        processes = [
            stack.enter_context(running(*code(program), folder, address, number))
            for number in range(2)
        ]
        for process in processes:
            finish(process)


def free_address():
    """An address of this machine at which nothing listens."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"
