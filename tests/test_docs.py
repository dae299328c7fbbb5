"""The documents: every command and Python block is run, every option, name, field and reason is written down.

A ```console block is run by bash in a folder of its own that holds a copy of ``seeds/``; the blocks of a page
follow each other in one folder. What it prints must be what the page shows, character by character, but for

- a line that is only ``…``: any number of lines,
- ``[…]`` in a line: any characters,
- the seconds and the name of the kernel in a scan's first line.

After a change of what a command prints, ``python tests/test_docs.py`` writes the new output into the pages.
"""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from conftest import ROOT, command_env, parse

import dedup
from dedup.cli import COMMANDS, cli
from dedup.model import UNREAD, Reason
from dedup.settings import Settings

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "benchmarks").glob("*.md"))]
KINDS = ("console", "pycon", "python", "json", "sh", "text")
OPTIONAL_LIBRARIES = {
    "docs/adapters.md": ("pyarrow",),
    "docs/inputs.md": ("pyarrow", "resiliparse"),
}
ADAPTED = ("pandas", "polars", "datasets", "sklearn", "datatrove")  # the same for the blocks that import one
OPTIONAL_TOOLS = ("jq", "zstd")  # a page that uses one is checked without those blocks where it is missing
END = "--- end of a command's output, with status"
ANY_LINES = "…"
ANY_CHARACTERS = "[…]"
NOT_RUN = ("make ",)  # these would run the tests from inside the tests

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to run the commands")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# --- the blocks of a page ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, its first line's number in the page (from 1), its lines."""

    page: Path
    kind: str
    start: int
    lines: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{name_of(self.page)}:{self.start}"

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the lines that the page shows below it."""

    lines: tuple[str, ...]
    output: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
        else:
            yield Block(page, lines[start][3:].strip(), start + 2, tuple(lines[start + 1 : number]))
            start = None
    assert start is None, f"{name_of(page)}:{start}: a block without its end"


def commands(block: Block) -> list[Command]:
    """``$ `` begins a command, ``> `` goes on with it, everything else is output."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            assert found, f"{block.where}: output before a command"
            found[-1][1].append(line)
    return [Command(tuple(command), tuple(output)) for command, output in found]


def run_commands(wanted: list[Command], folder: Path, env: Mapping[str, str]) -> list[tuple[str, int]]:
    """What each command prints on both streams, and its exit status; one shell for all of them."""
    script = ["exec 2>&1", "ended() { local status=$?; printf '\\n%s %d\\n' \"$END\" $status; return $status; }"]
    for command in wanted:
        script += [":" if command.text.startswith(NOT_RUN) else command.text, "ended"]
    run = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={**env, "END": END},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
    )
    parts = re.split(rf"\n{END} (\d+)\n", run.stdout.decode())
    assert len(parts) == 2 * len(wanted) + 1, f"the shell stopped early:\n{run.stdout.decode()}"
    return [(parts[2 * at], int(parts[2 * at + 1])) for at in range(len(wanted))]


def settled(line: str) -> str:
    """A line without what differs from run to run."""
    return re.sub(r"\(\d+\.\d s, \w+ kernel\)", "(0.0 s, native kernel)", line)


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a command printed what the page shows."""
    pattern = ""
    for line in shown:
        if line == ANY_LINES:
            pattern += "(?:.*\n)*?"
        else:
            pattern += ".*?".join(map(re.escape, settled(line).split(ANY_CHARACTERS))) + "\n"
    return re.fullmatch(pattern, "".join(f"{settled(line)}\n" for line in printed.splitlines())) is not None


def lines_printed(output: str) -> str:
    """A command's output as whole lines, without the one that says that there is no native core."""
    lines = output.rstrip("\n").split("\n") if output.strip("\n") else []
    return "".join(f"{line}\n" for line in lines if not line.startswith("dedup: no native core"))


class Session:
    """The folder and the names that the blocks of a page share."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder = folder / "page"
        shutil.copytree(ROOT / "seeds", self.folder / "seeds")
        tools = folder / "bin"
        tools.mkdir()
        for name, arguments in (("dedup", "-m dedup "), ("python", "")):
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -P {arguments}"$@"\n')
            (tools / name).chmod(0o755)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        self.env = command_env(temporary, {"PATH": path, "LC_ALL": "C.UTF-8", "TERM": "dumb"})
        self.names: dict[str, Any] = {}

    def console(self, block: Block) -> list[tuple[Command, str, int]]:
        """Each command of a block with what it printed and its exit status."""
        wanted = commands(block)
        found = run_commands(wanted, self.folder, self.env)
        return [(wanted[at], lines_printed(output), status) for at, (output, status) in enumerate(found)]

    def pycon(self, block: Block) -> None:
        """The examples of a block give what it shows."""
        test = doctest.DocTestParser().get_doctest(block.text, {}, block.where, name_of(block.page), block.start - 1)
        test.globs = self.names  # shared with the blocks that follow
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        result = runner.run(test, out=said.append, clear_globs=False)
        assert result.attempted, f"{block.where}: no example"
        assert not result.failed, "".join(said)

    def python(self, block: Block) -> None:
        """A script runs to its end."""
        exec(compile(block.text, block.where, "exec"), self.names)


def check_console(session: Session, block: Block) -> None:
    ran = session.console(block)
    for at, (command, printed, status) in enumerate(ran):
        if command.text.startswith(NOT_RUN):
            assert set(command.output) <= {ANY_LINES}, f"{block.where}: the output of {command.text} isn't checked here"
            continue
        assert matches(command.output, printed), (
            f"{block.where}: $ {command.text}\n--- shown\n{chr(10).join(command.output)}\n--- printed\n{printed}---\n"
            "If what is printed is right: python tests/test_docs.py"
        )
        asked = at + 1 < len(ran) and ran[at + 1][0].text == "echo $?"
        assert status == 0 or asked, f"{block.where}: $ {command.text}\nends with {status}, and the page doesn't say so"


def tool_missing(block: Block) -> str | None:
    """A program, or a library of others, that a block needs and that isn't there."""
    tools = [tool for tool in OPTIONAL_TOOLS if f"{tool} " in block.text and shutil.which(tool) is None]
    if block.kind == "python":
        named = re.findall(r"^(?:from|import) (?:dedup\.adapters\.)?(\w+)", block.text, re.MULTILINE)
        tools += [name for name in named if name in ADAPTED and importlib.util.find_spec(name) is None]
    return tools[0] if tools else None


# --- what is run ------------------------------------------------------------------------------------------------------


@pytest.mark.once
@bash
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_python_blocks_do_what_the_page_shows(
    page: Path, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the page, each block finding what those before it left."""
    for library in OPTIONAL_LIBRARIES.get(name_of(page), ()):
        pytest.importorskip(library)
    session = Session(tmp_path, temporary)
    monkeypatch.chdir(session.folder)
    left_out = set()
    for block in blocks(page):
        if tool := tool_missing(block):
            left_out.add(tool)
        elif block.kind == "console":
            check_console(session, block)
        elif block.kind == "pycon":
            session.pycon(block)
        elif block.kind == "python":
            session.python(block)
        elif block.kind == "json":
            assert [orjson.loads(line) for line in block.lines], block.where
    if left_out:
        pytest.skip(f"everything but the blocks that need {', '.join(left_out)} was run")


@pytest.mark.once
def test_the_stage_of_dvc_is_one_that_it_understands() -> None:
    """Its command is run above; here the rest of the file is looked at."""
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    lines = text.partition("cat > dvc.yaml <<'END'\n")[2].partition("> END")[0].splitlines()
    (stage,) = yaml.safe_load("\n".join(line.removeprefix("> ") for line in lines))["stages"].values()
    assert set(stage) == {"cmd", "deps", "outs", "metrics"}
    assert all(name in stage["cmd"] for name in [*stage["deps"], *stage["outs"], *stage["metrics"][0]])


@pytest.mark.once
@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_block_says_how_it_is_checked(page: Path) -> None:
    """A block of kind sh is not run: it may only install."""
    for block in blocks(page):
        assert block.kind in KINDS, f"{block.where}: a block of kind {block.kind!r}"
        if block.kind == "sh":
            allowed = r"(pip install|git clone|cd|make|dedup --version)\b.*|#.*|"
            assert all(re.fullmatch(allowed, line) for line in block.lines), f"{block.where}: make it a console block"


# --- the README's first screen ----------------------------------------------------------------------------------------


@pytest.mark.once
def test_the_first_screen_is_what_make_runs_and_prints() -> None:
    """The targets exist, and the scan whose output stands there is the one that ``make demo`` runs."""
    makefile = read("Makefile")
    first = next(block for block in blocks(ROOT / "README.md") if block.kind == "console")

    assert first.start < 30
    make, scan = commands(first)
    assert make.text == "make demo"
    assert ANY_LINES not in scan.output and ANY_CHARACTERS not in "".join(scan.output)
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe and f"@$(BIN)/{scan.text}\n" in recipe[1] and f"echo '$$ {scan.text}'" in recipe[1]
    for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", read("README.md") + read("CONTRIBUTING.md"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no make {target}"


# --- commands ---------------------------------------------------------------------------------------------------------


def command_of(name: str) -> click.Command:
    command: click.Command = importlib.import_module(f"dedup.cli.{name}").command
    return command


def options_of(command: click.Command) -> set[str]:
    """Every spelling of every option."""
    found: set[str] = set()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


def every_option() -> set[str]:
    found = {"-h", "--help"}
    for command in [cli, *map(command_of, COMMANDS)]:
        found |= options_of(command)
    return found


def section(page: str, heading: str) -> str:
    """A section of a page, to the next heading of its level."""
    match = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", read(page), re.MULTILINE | re.DOTALL)
    assert match, f"{page} has no section {heading!r}"
    return match[2]


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_command_line_page(name: str) -> None:
    """In the section of its command, or in one of those that several commands share, which it names."""
    page = "docs/command-line.md"
    own = section(page, f"dedup {name}")
    shared = [heading_of(page, anchor) for anchor in re.findall(r"\]\(#(.*?)\)", own)]
    text = own + "".join(section(page, heading) for heading in shared)

    missing = {option for option in options_of(command_of(name)) if not re.search(rf"`{option}\b", text)}

    assert missing == set()


@pytest.mark.once
@pytest.mark.parametrize("page", [page for page in PAGES if "decisions" not in page.parts], ids=name_of)
def test_no_page_names_an_option_that_is_not_there(page: Path) -> None:
    """Options of other programs are written without backticks, or stand in the list here."""
    others = {"--verbose"}
    named = set(re.findall(r"`(--?[a-z][a-z-]*)", page.read_text(encoding="utf-8")))
    for block in blocks(page):
        if block.kind == "console":
            for command in commands(block):
                for part in re.findall(r"(?:^|[|;&] ?)dedup [^|;&]*", command.text):
                    named |= set(re.findall(r"(?<=\s)(--?[a-zA-Z][a-z-]*)", part))

    assert named - every_option() - others == set()


# --- the library ------------------------------------------------------------------------------------------------------


def members_of(value: Any) -> set[str]:
    """The public attributes of a class that its users see; a function's parameters."""
    if not inspect.isclass(value):
        return set(inspect.signature(value).parameters)
    if issubclass(value, Exception):
        return set()
    own = {name for name in vars(value) if not name.startswith("_")}
    return own | {field.name for field in fields(value) if not field.name.startswith("_")}


@pytest.mark.once
@pytest.mark.parametrize("name", dedup.__all__)
def test_every_public_name_is_in_the_api_page_with_its_members(name: str) -> None:
    """Each has a heading of its own, and below it stand its attributes or parameters."""
    text = section("docs/python-api.md", name)

    assert {member for member in members_of(getattr(dedup, name)) if not re.search(rf"\b{member}\b", text)} == set()


@pytest.mark.once
def test_the_curve_is_the_formula() -> None:
    """Each cell of the table is 1 - (1 - s^r)^b, rounded to four digits."""
    rows = re.findall(r"^\| ([\d.]+) \| (\d+) × (\d+) \| (.+) \|$", read("docs/choosing-a-threshold.md"), re.MULTILINE)
    head = re.search(r"^\| threshold \| bands × rows \| (.+) \|$", read("docs/choosing-a-threshold.md"), re.MULTILINE)

    assert head and len(rows) >= 5
    scores = [float(cell) for cell in head[1].split(" | ")]
    for threshold, bands, per_band, cells in rows:
        b, r = int(bands), int(per_band)
        assert (Settings(threshold=float(threshold)).bands, Settings(threshold=float(threshold)).rows) == (b, r)
        assert cells.split(" | ") == [f"{1 - (1 - s**r) ** b:.4f}" for s in scores]


def binomial(n: int, k: int) -> float:
    """Probability that k of n shingles are in a sample of a quarter."""
    return math.comb(n, k) * 0.25**k * 0.75 ** (n - k)


@pytest.mark.once
def test_a_pair_at_the_containment_is_nearly_always_a_candidate() -> None:
    """999 times in 1,000 or more, as the page says: over all samples that the smaller document may have."""
    for size in (50, 55, 60, 80, 100, 200):
        shared = size * 8 // 10
        passes = 0.0
        for hit in range(shared + 1):
            for missed in range(size - shared + 1):
                m = hit + missed
                if m and hit >= max(1, math.ceil(0.8 * m - 3 * math.sqrt(0.8 * 0.2 * m) - 1e-9)):
                    passes += binomial(shared, hit) * binomial(size - shared, missed)
        assert passes >= 0.999, size


# --- the result file --------------------------------------------------------------------------------------------------


def tables_of(text: str) -> set[str]:
    """What stands in backticks in the first column of the tables."""
    return set(re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE))))


@pytest.mark.once
def test_every_reason_is_written_down_with_its_exit_status() -> None:
    """The reasons that end a run with exit status 3 are those of the code."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| (yes|no) \|$", read("docs/result-format.md"), re.MULTILINE))

    assert rows == {reason.value: "yes" if reason in UNREAD else "no" for reason in Reason}


def everything(folder: Path) -> Iterator[bytes]:
    """Results that have, between them, every record and field."""
    (folder / "in").mkdir()
    words = [f"word{number}" for number in range(60)]
    records = [
        {"id": "a", "text": " ".join(words)},
        {"id": "b", "text": " ".join([*words, "and", "more"])},
        {"id": "c", "text": " ".join([*words, "and", "more", "of", "it"])},
    ]
    (folder / "in" / "records.jsonl").write_bytes(b"\n".join(map(orjson.dumps, records)) + b"\nnot JSON\n")
    (folder / "in" / "empty.txt").write_text("…")
    for name in ("one.txt", "two.txt", os.fsdecode(b"tw\xff.txt")):
        with suppress(OSError):  # some file systems take no name that isn't UTF-8
            (folder / "in" / name).write_text("one text in all files")
    (folder / "in" / ".hidden").write_text("")
    yield dedup.scan([folder / "in"], Settings(max_comparisons=1)).to_bytes()
    yield dedup.scan([ROOT / "seeds"]).to_bytes()
    # Three revisions that each grow by a third: the policy's choice matches the first one, which is kept.
    grown = [" ".join(f"w{number}" for number in range(size)) for size in (60, 78, 101)]
    yield dedup.find_duplicates(grown, Settings(keep="first", containment=None)).to_bytes()
    words = " ".join(f"w{number}" for number in range(100))
    crowd = [f"{words} {end}" for end in ("a b c d e", "f g h i j", "k l m n o")]
    yield dedup.find_duplicates(crowd, Settings(threshold=0.95, containment=0.99, max_comparisons=1)).to_bytes()


@pytest.mark.once
def test_every_record_and_field_of_a_result_is_written_down(tmp_path: Path) -> None:
    """In the section of its record."""
    seen: dict[str, set[str]] = {}
    for result in everything(tmp_path):
        for record in parse(result):
            seen.setdefault(record["type"], set()).update(record)
            if record["type"] == "header":
                seen["settings"] = set(record["settings"])
            if record["type"] == "cluster":
                seen.setdefault("keep", set()).update(record["keep"])

    documents = tables_of(section("docs/result-format.md", "Documents"))
    for kind, named in seen.items():
        written = documents | (set() if kind == "keep" else tables_of(section("docs/result-format.md", kind)))
        assert named - written == set(), f"docs/result-format.md, {kind}"
    assert {"header", "input", "cluster", "drop", "skipped", "empty", "limit", "summary"} <= set(seen)
    assert "policy_blocked" in seen["cluster"]


# --- words and links --------------------------------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_words_that_are_not_used_are_not_used(page: Path) -> None:
    """The glossary says which; names of machines and their folders don't stand anywhere either."""
    text = page.read_text(encoding="utf-8")
    avoided = () if page.name == "glossary.md" else ("fingerprint", "signature", "original", "parent")

    assert [word for word in avoided if re.search(rf"\b{word}", text, re.IGNORECASE)] == []
    assert not re.search(r"/root\b|/home\b|/work\b|/opt\b|/Users\b|localhost", text)


def anchor_of(heading: str) -> str:
    """The anchor that a heading gets."""
    plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return plain.strip().replace(" ", "-")


def headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def heading_of(page: str, anchor: str) -> str:
    return next(heading for heading in headings(ROOT / page) if anchor_of(heading) == anchor)


@pytest.mark.once
@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of this project, and to a heading in it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in map(anchor_of, headings(there)), f"{name_of(page)}: {target}"


@pytest.mark.once
def test_every_page_can_be_reached_from_the_readme() -> None:
    """A page that nothing links to is not read."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links if not link.startswith("https://")]

    assert set(PAGES) - reached == set()


# --- writing what is printed ------------------------------------------------------------------------------------------


def rewritten(page: Path, session: Session) -> str:
    """The page with what its commands print now; where a page leaves something out and is right, it stays."""
    lines = page.read_text(encoding="utf-8").splitlines()
    replaced: list[tuple[Block, list[str]]] = []
    for block in blocks(page):
        if block.kind in ("pycon", "python"):
            run: Callable[[Block], None] = getattr(session, block.kind)
            run(block)
        elif block.kind == "console" and not tool_missing(block):
            new: list[str] = []
            for command, printed, _ in session.console(block):
                new += [f"{'$' if not at else '>'} {line}" for at, line in enumerate(command.lines)]
                as_shown = command.text.startswith(NOT_RUN) or matches(command.output, printed)
                new += command.output if as_shown else printed.splitlines()
            replaced.append((block, new))
    for block, new in reversed(replaced):
        lines[block.start - 1 : block.start - 1 + len(block.lines)] = new
    return "\n".join(lines) + "\n"


def main() -> None:
    for page in PAGES:
        if not all(importlib.util.find_spec(library) for library in OPTIONAL_LIBRARIES.get(name_of(page), ())):
            continue
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as temporary:
            session = Session(Path(folder), Path(temporary))
            os.chdir(session.folder)
            new = rewritten(page, session)
            os.chdir(ROOT)
        if new != page.read_text(encoding="utf-8"):
            page.write_text(new, encoding="utf-8")
            print(f"rewritten: {name_of(page)}")


if __name__ == "__main__":
    main()
