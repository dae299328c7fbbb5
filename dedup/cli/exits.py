"""Exit statuses, and the one place where errors become them.

0 done, 1 only where it was asked for, 2 usage or fatal error, 3 done but some inputs could not be
read, 130 interrupted. A closed pipe is no error.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

import click

from dedup.errors import DedupError

DONE = 0
ASKED = 1
FATAL = 2
UNREAD = 3
INTERRUPTED = 130


class Ended(BaseException):
    """SIGTERM or SIGHUP came: clean up as after Ctrl-C, and end with 128 + its number."""

    def __init__(self, number: int) -> None:
        self.number = number


def run(command: click.Command, arguments: list[str]) -> int:
    """Run a click command and give its exit status."""
    _end_cleanly_on_signals()
    _prepare_streams()
    try:
        # Not `command.main`, which takes a closed pipe for an error.
        with command.make_context("dedup", list(arguments)) as context:
            command.invoke(context)
        sys.stdout.flush()
        return DONE
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED
    except Ended as error:
        return 128 + error.number
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else " ".join(["dedup", *arguments[:1]])
        _say(f"error: {error.format_message()}\nTry {path} --help")
        return FATAL
    except click.ClickException as error:
        _say(f"error: {error.format_message()}")
        return FATAL
    except DedupError as error:
        _say(f"error: {error}")
        return FATAL
    except BrokenPipeError:
        close_stdout()
        return DONE
    except OSError as error:
        # Files have errors of their own (OutputError, InputError); what is left is a stream.
        _say(f"error: the output can't be written: {error.strerror}\nMake room, or send it to another place")
        close_stdout()
        return FATAL
    except MemoryError:
        _say("error: out of memory\nGive it less at once, or more memory")
        return FATAL
    finally:
        _flush_quietly()


def _end_cleanly_on_signals() -> None:
    """Without this, SIGTERM ends Python at once and leaves unfinished temporary files behind."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
                signal.signal(getattr(signal, name), end)


def leave(status: int) -> NoReturn:
    """End the command with this exit status."""
    raise click.exceptions.Exit(status)


def _say(message: str) -> None:
    from dedup.report.clean import visible

    click.echo("\n".join(f"dedup: {visible(line)}" for line in message.split("\n")), err=True)


def _prepare_streams() -> None:
    """A missing stream leads nowhere, and what a stream's encoding lacks is shown as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (for as long as the process lives)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def close_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's own flush at exit finds no broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _flush_quietly() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        close_stdout()
