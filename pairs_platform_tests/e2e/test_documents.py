"""README and docs: every command runs or is run by a named test, every option is accepted, every link resolves.

Blocks marked ``sh`` are run line by line over a small lake, in a folder with copies of the files that commands read
from the project's folder. Lines that take long are run elsewhere, as `RUN_ELSEWHERE` says; here their names and options
are held against the real commands. A line that is in neither group fails.
"""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from click.testing import CliRunner

from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.build import build_definitions
from pairs_platform.cli import cli
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import session_offset, sessions_between, sessions_ending
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
from pairs_platform.core.screening.placebo import PlaceboResult
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
from pairs_platform.core.selection.ranking import monitor_scores, rank_pairs, selection_funnel
from pairs_platform.core.selection.settings import FunnelSettings
from pairs_platform.lake.profile import Profile, claim_profile
from pairs_platform.lake.store import Lake
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings, described_fields
from pairs_platform_tests.support.selection_tables import correlations_of, history_of, scores_of, screen_of
from pairs_platform_tests.support.waiting import WAIT_SECONDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
READ_FROM_THE_FOLDER = ("Makefile", "pyproject.toml", "constraints.txt", "dagster.yaml", "workspace.yaml")
SESSION = date(2023, 3, 8)

RUN_ELSEWHERE = {
    "make demo": "pairs_platform_tests/e2e/test_demo.py::test_demo_from_prices_to_configuration",
    "make live": "pairs_platform_tests/e2e/test_live.py::test_ctrl_c_ends_every_process_and_frees_the_ports",
    "make ui": "pairs_platform_tests/e2e/test_ui.py::test_ui_serves_the_asset_graph_and_is_quiet",
    "make test": ".ci/run",
    "make check": "pairs_platform_tests/test_main.py::test_every_check_is_part_of_the_whole",
    "make fix": "pairs_platform_tests/test_main.py::test_every_check_is_part_of_the_whole",
    "make test-fast": "pairs_platform_tests/test_main.py::test_every_check_is_part_of_the_whole",
    "make record": "pairs_platform_tests/test_recorded.py::test_a_file_that_is_written_from_the_code_is_up_to_date",
    "make audit": "pairs_platform_tests/test_supply_chain.py::test_the_audit_asks_about_every_pin",
    "make up": "pairs_platform_tests/e2e/test_up.py::test_every_process_is_healthy_and_everything_answers",
    "make down": "pairs_platform_tests/e2e/test_up.py::test_down_ends_everything_and_frees_the_ports",
    "pairs-platform up": "pairs_platform_tests/e2e/test_up.py::test_every_process_is_healthy_and_everything_answers",
    "pairs-platform alerts test": "pairs_platform_tests/cli/test_operations.py::test_every_receiver_is_tried",
    "pairs-platform audit": "pairs_platform_tests/cli/test_operations.py::test_the_audit_is_shown_and_chosen_from",
    "pairs-platform broker simulate": "pairs_platform_tests/processes/broker/test_simulation.py"
    "::test_it_says_where_it_is_in_one_line_serves_and_ends_quietly_on_ctrl_c",
    "pairs-platform backup": "pairs_platform_tests/processes/runtime/test_backup.py::test_everything_is_there_again",
    "pairs-platform adopt": "pairs_platform_tests/e2e/test_up.py::test_the_history_from_before_is_adopted_once",
    "pairs-platform restore": "pairs_platform_tests/processes/runtime/test_backup.py::test_everything_is_there_again",
    "pairs-platform data check": "pairs_platform_tests/cli/test_data.py::test_a_file_that_can_be_used",
    "pairs-platform demo": "pairs_platform_tests/e2e/test_demo.py::test_demo_from_prices_to_configuration",
    "pairs-platform live": "pairs_platform_tests/e2e/test_live.py::test_ctrl_c_ends_every_process_and_frees_the_ports",
    "pairs-platform models ui": "pairs_platform_tests/e2e/test_mlflow_pages.py::test_a_table_is_previewed",
    "pairs-platform models": "pairs_platform_tests/cli/test_models.py::test_list_and_show",
    "pairs-platform release --trade": "pairs_platform_tests/cli/test_trading.py"
    "::test_a_broken_trade_goes_on_once_the_broker_was_asked",
    "pairs-platform report": "pairs_platform_tests/cli/test_report.py::test_the_newest_session_by_default",
    "pairs-platform signals": "pairs_platform_tests/cli/test_signals.py::test_one_pair_at_every_bar",
    "pairs-platform stream save": "pairs_platform_tests/cli/test_stream.py::test_a_session_that_was_not_streamed",
    "pairs-platform stream status": "pairs_platform_tests/cli/test_stream.py::test_health_closes_and_processes",
    "pairs-platform stream symbols": "pairs_platform_tests/cli/test_stream.py::test_shown_and_switched",
    "pairs-platform trade": "pairs_platform_tests/e2e/test_live.py::test_ctrl_c_ends_every_process_and_frees_the_ports",
    "pairs-platform ui": "pairs_platform_tests/e2e/test_ui.py::test_ui_serves_the_asset_graph_and_is_quiet",
    "dagster asset materialize": "pairs_platform_tests/e2e/test_command_line.py::test_materialize_as_typed",
}
"""Commands that take long or need a stream, by their first words, and the test or script that runs them."""

MADE_BY_MAKE = ("python3 -m venv", ".venv/bin/python -m pip install")
"""Lines of the installation by hand: they are the Makefile's recipes."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def commands(self) -> list[str]:
        return [line.strip() for line in self.text.splitlines() if line.strip()]


def fenced_blocks() -> Iterator[Block]:
    for path in DOCUMENTS:
        opened: tuple[int, str, list[str]] | None = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if opened is None and line.startswith("```"):
                opened = number, line.removeprefix("```").strip(), []
            elif opened is not None and line.startswith("```"):
                yield Block(path.relative_to(ROOT).as_posix(), opened[0], opened[1], "\n".join(opened[2]))
                opened = None
            elif opened is not None:
                opened[2].append(line)


BLOCKS = tuple(fenced_blocks())
SHELL = tuple(block for block in BLOCKS if block.language == "sh")
POWERSHELL = tuple(block for block in BLOCKS if block.language == "powershell")


def in_posix(line: str) -> str:
    """A PowerShell line as the same command is typed in a POSIX shell."""
    line = line.replace("py -3.12", "python3").replace("Activate.ps1", "activate").replace("\\", "/")
    line = line.replace(".venv/Scripts/", ".venv/bin/")
    return f". {line}" if line == ".venv/bin/activate" else line


def kind(line: str) -> str | None:
    """The group of a line: "variable", "activate", "install", a key of `RUN_ELSEWHERE`, "run", or None."""
    bare = line.removeprefix(".venv/bin/")
    if line.startswith("export "):
        return "variable"
    if line == ". .venv/bin/activate":
        return "activate"
    if line.startswith(MADE_BY_MAKE):
        return "install"
    for first_words in RUN_ELSEWHERE:
        if bare == first_words or bare.startswith(f"{first_words} "):
            return first_words
    return "run" if bare.startswith("pairs-platform ") else None


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State folder with the rankings of one session, two pairs of which one is selected, in the default profile."""
    state = tmp_path_factory.mktemp("state")
    profile = Profile("simulated", Frequency.FIVE_MINUTES, PriceBasis.RAW)
    lake, key = Lake(claim_profile(state / profile.name, profile) / "lake"), PartitionKey(SESSION, "technology")
    pairs: dict[str, dict[str, float]] = {"AMAT_KLAC": {}, "PDFS_ROG": {"p_cal": 0.4}}
    correlations, screened = correlations_of(pairs), screen_of(pairs)
    scores = scores_of(SESSION, {"AMAT_KLAC": 0.8, "PDFS_ROG": 0.3})
    rankings = rank_pairs(
        correlations,
        screened,
        scores,
        history_of([(session_offset(SESSION, -1), "AMAT_KLAC", 0.8)]),
        session=SESSION,
        settings=FunnelSettings(),
    )
    chance = PlaceboResult(
        kind="joint",
        n_draws=50,
        counts=(1,) * 50,
        counts_correlated=(2,) * 50,
        found=1,
        mean=1.0,
        standard_error=0.0,
        p05=1.0,
        p95=1.0,
        p_at_least_found=1.0,
        mean_correlated=2.0,
        standard_error_correlated=0.0,
        p05_correlated=2.0,
        p95_correlated=2.0,
    )
    facts = {
        "source": "SIMULATED market",
        "funnel": asdict(selection_funnel(rankings, n_symbols=4)),
        "monitor": asdict(monitor_scores(scores, correlations)),
    }
    lake.write(COINTEGRATED_PAIRS, key, screened, {"placebo": dict.fromkeys(("joint", "independent"), asdict(chance))})
    lake.write(COMPOSITE_RANKINGS, key, rankings, facts)
    return state


@pytest.fixture
def folder(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project's folder as a user has it, with one stored session; it is the current one."""
    home = tmp_path / "project with a space"
    home.mkdir()
    for name in READ_FROM_THE_FOLDER:
        shutil.copy(ROOT / name, home / name)
    shutil.copytree(stored, home / ".state")
    monkeypatch.chdir(home)
    monkeypatch.delenv("PAIRS_PLATFORM__STATE_ROOT")
    before = dict(os.environ)
    yield home
    # Console options become environment variables, which live as long as a process of their own would.
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def accept(arguments: list[str]) -> None:
    """Parse a line of the console script with its own parser, without running it."""
    command, name = parsed_group(cli, arguments)
    with command.make_context(name, arguments[len(name.split()) :]):
        pass


def parsed_group(group: click.Command, arguments: list[str]) -> tuple[click.Command, str]:
    """The command that the first of `arguments` name, and those words."""
    command, words = group, []
    for word in arguments:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no command {' '.join([*words, word])}"
        command = found
        words.append(word)
    return command, " ".join(words)


def accept_make(line: str) -> None:
    """Let make print what it would do, and hold the console script's part of it against its parser."""
    # Below another make, as in `make test`, it would say which folder it enters.
    dry_run = ["make", "-n", "--no-print-directory", *shlex.split(line)[1:]]
    printed = subprocess.run(dry_run, capture_output=True, text=True, check=True, timeout=WAIT_SECONDS).stdout
    last = shlex.split(printed.strip().splitlines()[-1])
    if last[1:3] == ["-m", "pairs_platform_tests"]:
        subprocess.run([sys.executable, *last[1:], "--help"], cwd=ROOT, capture_output=True, check=True)
        return
    if last[0].endswith("/pip-audit"):
        return
    assert last[0].endswith("/pairs-platform"), printed
    accept(last[1:])
    for given in shlex.split(line)[2:]:
        variable, value = given.split("=", 1)
        assert variable == "PYTHON" or value in last, f"{variable} does not reach the command: {last}"


def accept_materialize(arguments: list[str]) -> tuple[list[str], list[tuple[date, str]]]:
    """Assets and partitions of a line, which must exist in the definitions."""
    from dagster._cli import create_dagster_cli

    command, name = parsed_group(create_dagster_cli(), arguments)
    with command.make_context(name, arguments[len(name.split()) :]) as context:
        given = context.params
    graph = build_definitions(load_settings()).resolve_asset_graph()
    known = {key.to_user_string(): key for key in graph.get_all_asset_keys()}
    assets = given["select"].split(",")
    assert set(assets) <= set(known)
    partitions = (given["partition_range"] or given["partition"]).split("...")
    for asset in assets:
        definition = graph.get(known[asset]).partitions_def
        assert all(definition.has_partition_key(partition) for partition in partitions)
    assert given["module_name"] in ("pairs_platform.definitions", ("pairs_platform.definitions",))
    keys = [partition.split("|") for partition in partitions]
    return assets, [(date.fromisoformat(day), sector) for day, sector in keys]


def recipes() -> set[str]:
    """Lines of the Makefile's recipes as a person types them."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    typed = (line.strip() for line in lines if line.startswith("\t"))
    replaced = {"$(PYTHON)": "python3", "$(BIN)": ".venv/bin", " --quiet": "", " --disable-pip-version-check": ""}
    found = set()
    for line in typed:
        for old, new in replaced.items():
            line = line.replace(old, new)
        found.add(line)
    return found


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_commands_of_a_block_run(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in block.commands:
        words = shlex.split(line)
        match kind(line):
            case None:
                pytest.fail(f"{block.name}: nothing runs {line!r}: run it here, or name the test that does")
            case "variable":
                name, value = words[1].split("=", 1)
                monkeypatch.setenv(name, value)
            case "activate":
                assert (Path(sys.executable).parent / "activate").exists()
            case "install":
                assert line in recipes()
            case "run":
                done = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
                assert done.exit_code == 0, f"{line}\n{done.output}"
                assert done.output.strip()
            case "dagster asset materialize":
                accept_materialize(words[1:])
            case elsewhere if elsewhere.startswith("make "):
                accept_make(line)
            case _:
                accept(words[1:])


@pytest.mark.parametrize("block", POWERSHELL, ids=lambda block: block.name)
def test_windows_types_the_same(block: Block) -> None:
    typed = {line for other in SHELL for line in other.commands}
    for line in block.commands:
        assert in_posix(line) in typed, f"{block.name}: {line}"


@pytest.mark.parametrize("command", RUN_ELSEWHERE)
def test_long_command_is_run_elsewhere(command: str) -> None:
    path, _, name = RUN_ELSEWHERE[command].partition("::")
    if not name:
        assert command in (ROOT / path).read_text(encoding="utf-8").splitlines()
        return
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in functions, f"{command} is run by {path}::{name}, which does not exist"


def test_prices_cover_the_lookback_of_the_session_by_hand() -> None:
    readme = [block for block in SHELL if block.document == "README.md"]
    lines = [line for block in readme for line in block.commands if line.startswith("dagster asset materialize")]
    (prices, (first, last)), (behind, (session,)) = (accept_materialize(shlex.split(line)[1:]) for line in lines)
    assert prices == ["price_history"]
    assert set(behind) == {
        "correlation_matrix", "cointegrated_pairs", "garch_fits", "pair_scores", "composite_rankings", "trading_config",
    }  # fmt: skip
    needed = sessions_ending(session[0], load_settings().lookback_sessions)
    assert set(needed) <= set(sessions_between(first[0], last[0]))
    assert first[1] == last[1] == session[1]


def test_commands_stand_only_in_marked_blocks() -> None:
    unmarked = [block for block in BLOCKS if block.language not in ("sh", "powershell")]
    starts = ("pairs-platform", "make ", "dagster ", "pip ", "python", ".venv")
    assert not [(b.name, line) for b in unmarked for line in b.commands if line.startswith(starts)]


def prose_of(path: Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def inline_commands() -> list[str]:
    """Commands inside sentences and tables, without repetitions, in POSIX spelling."""
    found: dict[str, None] = {}
    for path in DOCUMENTS:
        for code in re.findall(r"`([^`\n]+)`", prose_of(path)):
            typed = in_posix(code).removeprefix(".venv/bin/")
            if typed.startswith(("pairs-platform ", "make ")):
                found.setdefault(typed)
    return list(found)


@pytest.mark.parametrize("line", inline_commands())
def test_command_inside_a_sentence_exists(line: str) -> None:
    if line.startswith("make "):
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert line.split()[1] in targets
        return
    command, name = parsed_group(cli, [word for word in shlex.split(line)[1:] if not word.startswith("-")][:2])
    known = {option for parameter in command.params for option in parameter.opts}
    assert name
    assert {word for word in shlex.split(line) if word.startswith("--")} <= known


def links() -> list[tuple[str, str]]:
    return [
        (path.relative_to(ROOT).as_posix(), target)
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(path))
        if not target.startswith(("http://", "https://"))
    ]


def anchors(path: Path) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("document", "target"), links())
def test_link_resolves(document: str, target: str) -> None:
    name, _, anchor = unquote(target).partition("#")
    path = (ROOT / document).parent / name if name else ROOT / document
    assert path.exists(), f"{document} links to {target}"
    if anchor:
        assert anchor in anchors(path), f"{document} links to {target}; {path.name} has {sorted(anchors(path))}"


def named_tests() -> list[str]:
    """Modules and tests that docs/testing.md names; a name without a module is in the module named before it."""
    names: dict[str, None] = {}
    module = ""
    for code in re.findall(r"`((?:[\w/]+\.py|::)[\w:]*)`", prose_of(ROOT / "docs" / "testing.md")):
        module = code.partition("::")[0] or module
        names.setdefault(module + code.removeprefix(module))
    return list(names)


@pytest.mark.parametrize("name", named_tests())
def test_named_test_exists(name: str) -> None:
    module, *path = name.split("::")
    body = ast.parse((ROOT / "pairs_platform_tests" / module).read_text(encoding="utf-8")).body
    for step in path:
        inner = {node.name: node.body for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert step in inner, f"docs/testing.md names {name}"
        body = inner[step]


def test_settings_named_in_the_documents_exist() -> None:
    described = [*described_fields(), *described_fields(FileSourceSettings, "source.files.")]
    paths = {path for path, _ in described}
    groups = set(Settings.model_fields)
    named = {
        code
        for path in DOCUMENTS
        for code in re.findall(r"`([a-z_]+(?:\.[a-z_0-9]+)+)`", path.read_text(encoding="utf-8"))
        if code.split(".")[0] in groups and not code.endswith((".yaml", ".py"))
    }
    unknown = {name for name in named if name not in paths and not any(path.startswith(f"{name}.") for path in paths)}
    assert len(named) > 30
    assert not unknown
