"""What is under way, how long it still takes, and the number to watch, in 80 columns."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from unteach.cli import COMMANDS, _progress, app
from unteach.cli._progress import BarProgress, LineProgress, TimeLeft, bars


class Clock:
    """A clock that moves when it is told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """In the place of `time.monotonic`, in this module alone."""
    found = Clock()
    monkeypatch.setattr(_progress.time, "monotonic", found)
    monkeypatch.setattr(TimeLeft.__init__, "__defaults__", (found,))
    return found


def test_slow_steps_have_an_estimate_at_once(clock):
    """Of 40 s each, which rich's own estimate forgets before the next one."""
    pace = TimeLeft(clock)
    for step in (1, 2, 3):
        clock.now += 40
        assert pace.seen(step, 100) == 40 * (100 - step)


def test_the_first_step_does_not_count_once_there_are_others(clock):
    pace = TimeLeft(clock)
    clock.now = 60
    assert pace.seen(1, 11) == 600
    clock.now = 62
    assert pace.seen(2, 11) == 18


def test_what_goes_on_in_the_middle_is_not_known_by_its_first_step(clock):
    pace = TimeLeft(clock)
    clock.now = 10
    assert pace.seen(501, 1000) is None
    clock.now = 12
    assert pace.seen(502, 1000) == 2 * 498
    part = pace.next()
    clock.now = 22
    assert part.seen(50, 100) == 10


LOGS = {"loss": 1.2, "forget": 13.863, "retain": 3.7, "forget_probability": 0.25}


def trained(clock, capsys, steps, seconds):
    listener = LineProgress()
    listener.stage("unlearning with npo")
    for step in range(1, steps + 1):
        clock.now += seconds
        listener.training(step, steps, LOGS)
    return capsys.readouterr().err.splitlines()[1:]


@pytest.mark.parametrize(
    ("steps", "seconds", "least", "most"),
    [(24, 0.1, 10, 12), (1000, 0.1, 10, 13), (1000, 20, 300, 350), (3, 1, 3, 3), (1, 1, 1, 1)],
)
def test_a_log_of_training_has_lines_at_a_sane_rate(clock, capsys, steps, seconds, least, most):
    lines = trained(clock, capsys, steps, seconds)
    assert least <= len(lines) <= most
    assert lines[0].startswith(f"  step 1/{steps}  p 0.25  forget 13.86")
    early = [line for line in lines if int(line.split("/")[0].split()[-1]) <= 10]
    assert any(" left" in line for line in early)


@pytest.mark.parametrize(
    ("seconds", "least", "most"), [(0.01, 1, 1), (0.5, 2, 8), (2, 10, 22), (60, 99, 101)]
)
def test_a_log_names_the_parts_of_an_evaluation(clock, capsys, seconds, least, most):
    listener = LineProgress()
    listener.stage("evaluating: original")
    for what in ("scoring answers", "asking for answers", "comparing with the original"):
        for done in range(1, 101):
            clock.now += seconds
            listener.progress(what, done, 100)
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "evaluating: original"
    for part in ("  scoring answers", "  answering", "  comparing"):
        assert part in lines
        assert least <= sum(line.startswith(part) for line in lines) <= most


def drawn(listener, width=80):
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    console.print(listener.bars.get_renderable())
    return file.getvalue().splitlines()


def test_a_terminal_of_80_columns_shows_part_time_left_and_the_number(clock):
    listener = BarProgress(bars())
    listener.stage("checking the request")
    listener.stage("unlearning with task-vector")
    clock.now = 30
    listener.training(1, 1200, LOGS)
    clock.now = 70
    listener.training(2, 1200, LOGS)
    line = drawn(listener)[-1]
    assert len(line.rstrip()) <= 80
    assert "2/1200" in line
    assert "13:18:40" in line  # 40 s for each of 1198
    assert "p 0.25" in line
    listener.stage("evaluating: unlearned")
    for what, short in (("scoring answers", "scoring answers"), ("asking for answers", "answering"),
                        ("comparing with the original", "comparing")):  # fmt: skip
        listener.progress(what, 1, 4)
        assert short in drawn(listener)[-1]
        listener.progress(what, 4, 4)
        assert not listener.bars.tasks[-1].finished  # the part is, and the clock goes on
    listener.finish()
    assert listener.bars.tasks[-1].finished
    assert "p 0.25" in drawn(listener)[-2]


def test_names_do_nothing_in_a_bar(clock):
    listener = BarProgress(bars())
    listener.stage("evaluating: [/]\x1b[31m")
    listener.progress("[bold]", 1, 2)
    assert "[/]\\x1b[31m" in drawn(listener, 120)[-1]
    assert "[bold]" in drawn(listener, 120)[-1]


@pytest.mark.parametrize("command", ["", *(command.__name__ for command in COMMANDS)])
def test_flags_without_a_value_show_none(command):
    found = CliRunner().invoke(app, [*([command] if command else []), "--help"])
    assert found.exit_code == 0
    assert "bool" not in found.output.lower()
