"""The bench: its scenes, what it calls right, its figures, and that the same seed gives the same numbers."""

from __future__ import annotations

import io
import json
import math
import operator
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from mobind_live.cli import app
from mobind_live.measure.bench import cost, run, scenes, table
from mobind_live.measure.bench.judge import Judge
from mobind_live.measure.bench.play import EPOCH_NS, Moment, Player
from mobind_live.measure.bench.pool import in_parallel
from mobind_live.measure.bench.scenes import Case, Plan
from mobind_live.measure.bench.score import KINDS, Scorer, Tally, figures
from mobind_live.models import checkpoint
from mobind_live.models.errors import ModelError
from mobind_live.schema import Action, Binding, Candidate, Message, Offset, Truth, Verdict, WornTruth

OK, AMBIGUOUS = Verdict.OK, Verdict.AMBIGUOUS
SMALL = Case("small", "", Plan(people=1, cameras=1, imus=1, delay_s=(0.5, 0.5)).scene(3), 6.0)


# --- scenes ---


def test_each_case_follows_from_the_seed_and_its_own_name() -> None:
    every = scenes.cases(0, 60.0, 1)
    assert scenes.cases(0, 60.0, 1) == every
    assert scenes.cases(0, 60.0, 1, "loss") == [case for case in every if case.factor == "loss"]
    assert len({case.name for case in every}) == len(every)
    assert len({case.config.seed for case in every}) == len(every)
    assert {case.config.seed for case in scenes.cases(1, 60.0, 1)}.isdisjoint(c.config.seed for c in every)
    assert tuple(dict.fromkeys(case.factor for case in every)) == scenes.FACTORS


def test_scenes_to_fit_on_are_none_of_the_benchs() -> None:
    bench = {case.config.seed for seed in range(5) for case in scenes.cases(seed, 60.0, 4)}
    fitted = list(scenes.drawn(0, 40, 45.0))
    assert fitted == list(scenes.drawn(0, 40, 45.0))
    assert bench.isdisjoint(case.config.seed for case in fitted)
    assert min(bench) > 100_000, "tests use small seeds"
    assert {case.config.people for case in fitted} == {1, 2, 3, 4}


def test_repeated_scenes_differ_in_their_seed_alone() -> None:
    first, second = scenes.cases(0, 60.0, 2, "base")
    assert first.config.seed != second.config.seed
    assert (first.name, second.name) == ("base= #1", "base= #2")


def test_ten_minutes_are_played_only_where_others_are_long() -> None:
    long = [case for case in scenes.cases(0, scenes.FULL_S, 1, "drift") if case.seconds >= 600]
    assert {case.stamped for case in long} == {True, False}
    assert not any(case.seconds >= 600 for case in scenes.cases(0, scenes.QUICK_S, 1))


def test_no_place_holds_two_sensors_and_a_moved_one_goes_to_an_empty_place() -> None:
    for case in scenes.cases(0, 60.0, 1):
        places = [(imu.person, imu.part) for imu in case.config.imus]
        moved = [(move.person, move.part) for imu in case.config.imus for move in imu.moves]
        assert len(set(places + moved)) == len(places + moved)
        assert all(person < case.config.people for person, _ in places + moved)


def test_the_factors_are_what_they_are_called() -> None:
    every = {case.name: case for case in scenes.cases(0, 60.0, 1)}
    assert [len(every[f"cameras={n}"].config.cameras) for n in (1, 4)] == [1, 4]
    assert every["people=8"].config.people == 8
    assert len(every["imus=20"].config.imus) == 20
    assert all(abs(i.clock_drift_ppm) == 100.0 for i in every["drift=100 ppm"].config.imus)
    assert all(7.0 <= abs(i.delay_s) < 10.0 for i in every["delay=10 s"].config.imus)
    assert {i.loss for i in every["loss=30 %"].config.imus} == {0.3}
    assert every["still=all"].config.script == ("standing",)
    assert every["in step=squats"].config.in_step
    assert every["swapped=two people"].config.swaps[0].people == (0, 1)
    steps = [camera.steps for camera in every["stepped=a camera, 0.2 s"].config.cameras]
    assert [len(each) for each in steps] == [1, 0]
    assert steps[0][0].by_s == 0.2
    limb, person = (
        every["moved=to another limb"].config.imus[0],
        every["moved=to another person"].config.imus[0],
    )
    assert limb.moves[0].person == limb.person
    assert person.moves[0].person != person.person


# --- judging ---


def moment(t_s: float, answers: list[Message], worn: WornTruth | None = None, moving: bool = True) -> Moment:
    truth = Truth(
        stream="sim",
        t_ns=EPOCH_NS + round(t_s * 1e9),
        worn=(worn or WornTruth(imu="imu0", person="person_1", part="chest", delay_s=1.0),),
        tracks={"cam0": {"4": "person_1", "5": "person_2"}},
        delays_s={"cam0": 0.25},
        actions={"person_1": "squats", "person_2": "standing"},
    )
    return Moment(t_s, truth, answers, frozenset(["imu0"] if moving else []), {"imu0": 20.0}, [])


def offset(offset_s: float = 0.75, verdict: Verdict = OK, sigma_s: float = 0.01, t_s: float = 0.0) -> Offset:
    return Offset(
        stream="imu0",
        camera="cam0",
        t_ns=0,
        offset_s=offset_s,
        sigma_s=sigma_s,
        p=0.95,
        verdict=verdict,
        reference_ns=EPOCH_NS + round(t_s * 1e9),
        rate_ppm=0.0,
        second_peak_ratio=0.1,
        evidence_s=9.0,
        lags_s=np.zeros(1, np.float32),
        weights=np.ones(1, np.float32),
    )


def binding(track: int = 4, part: str = "chest", wearer: Verdict = OK, where: Verdict = OK) -> Binding:
    return Binding(
        stream="imu0",
        t_ns=0,
        wearer="wearer_1",
        tracks={"cam0": track} if wearer is OK else {},
        p_wearer=0.96 if wearer is OK else 0.4,
        wearer_verdict=wearer,
        part=part,
        p_part=0.97,
        part_verdict=where,
        p_none=0.01,
        candidates=(Candidate(camera="cam0", track=track, part=part, p=0.9),),
    )


@pytest.fixture
def case() -> Case:
    plan = Plan(
        people=2, cameras=1, imus=1, move="limb", event_s=40.0, delay_s=(1.0, 1.0), drift_ppm=(20.0, 20.0)
    )
    made = Case("made", "up", plan.scene(5), 80.0)
    imu = replace(made.config.imus[0], delay_s=1.0, clock_drift_ppm=-20.0)
    return replace(made, config=replace(made.config, imus=(imu,)))


def test_right_is_the_true_track_part_and_offset(case: Case) -> None:
    (one,) = Judge(case).judge(moment(5.0, [offset(), binding()]))
    assert all(one.right.values())
    assert one.seen
    assert one.offsets[0].error_s == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ([offset(0.85), binding()], {"offset"}),
        ([offset(), binding(track=5)], {"wearer"}),
        ([offset(), binding(track=99)], {"wearer"}),
        ([offset(), binding(part="pelvis")], {"part"}),
        ([offset(0.85, sigma_s=0.05), binding()], set()),
        ([offset(0.85, AMBIGUOUS), binding(5, "head", AMBIGUOUS, AMBIGUOUS)], set()),
    ],
)
def test_wrong_is_only_what_is_called_ok_and_is_not(
    case: Case, answers: list[Message], kinds: set[str]
) -> None:
    (one,) = Judge(case).judge(moment(5.0, answers))
    wrong = {"offset": one.offsets[0].wrong, "wearer": one.wearer.wrong, "part": one.part.wrong}
    assert {kind for kind, is_wrong in wrong.items() if is_wrong} == kinds
    assert not one.right["all"] or not kinds


def test_an_answer_may_name_a_track_that_has_just_gone(case: Case) -> None:
    judge = Judge(case)
    judge.judge(moment(5.0, [offset(), binding()]))
    gone = moment(6.0, [offset(), binding()])
    (one,) = judge.judge(replace(gone, truth=replace(gone.truth, tracks={"cam0": {}})))
    assert one.wearer.right
    assert not one.seen


def test_the_most_probable_wearer_counts_even_where_none_is_named(case: Case) -> None:
    for track, right in ((4, True), (5, False)):
        (one,) = Judge(case).judge(moment(5.0, [offset(), binding(track, wearer=AMBIGUOUS)]))
        assert (one.likely_wearer.right, one.likely_wearer.p) == (right, 0.4)


def test_a_hidden_drift_moves_the_true_offset(case: Case) -> None:
    stamped = replace(case, stamped=True)
    (one,) = Judge(stamped).judge(moment(100.0, [offset(0.75 - 0.002, t_s=100.0), binding()]))
    assert one.offsets[0].error_s == pytest.approx(0.0, abs=1e-9)


def test_actions_count_once_they_have_gone_on_for_a_while(case: Case) -> None:
    judge = Judge(case)
    said = Action(stream="wearer_1", t_ns=0, label="squats", p=0.8, verdict=OK, labels=(), probabilities=())
    found = []
    for t in range(1, 8):
        now = moment(float(t), [offset(), binding(), said])
        found.append(judge.actions(now, judge.judge(now)))
    assert [len(f) for f in found] == [0, 0, 0, 0, 0, 1, 1]
    assert found[-1][0].right


# --- scoring ---


def scored(case: Case, said: dict[range, list[Message]]) -> Tally:
    """The tally of a scene in which ``said`` is said in those seconds; the IMU moves to the head at 40 s."""
    scorer = Scorer(case)
    for t in range(1, 81):
        (answers,) = [answers for seconds, answers in said.items() if t in seconds]
        part = "chest" if t < 41 else "" if t < 45 else "head"
        person = "person_1" if part else ""
        scorer.take(moment(t, answers, WornTruth(imu="imu0", person=person, part=part, delay_s=1.0)))
    return scorer.finish()


SILENCE: list[Message] = [offset(0.0, AMBIGUOUS), binding(5, "head", AMBIGUOUS, AMBIGUOUS)]
RIGHT: list[Message] = [offset(0.76), binding()]
MOVED: list[Message] = [offset(0.76), binding(part="head")]


def test_a_change_is_noticed_when_the_old_answer_stops_and_found_with_the_new_one(case: Case) -> None:
    tally = scored(
        case, {range(1, 12): SILENCE, range(12, 48): RIGHT, range(48, 55): SILENCE, range(55, 81): MOVED}
    )
    assert tally.first_s["all"] == [12]
    assert tally.noticed_s == [7.0], "taken off at 40 s, shown a second later, believed until 47 s"
    assert tally.found_s == [14.0]
    assert tally.false == {"offset": 0, "wearer": 0, "part": 0}
    got = figures(tally)
    assert got["right_ok"] == got["right_ok_part"] == got["right_ok_on_chest"] == 100.0
    assert got["right_ok_on_head"] == 100.0
    assert got["offset_error_ms"] == pytest.approx(10.0)
    assert got["clock_drift_error_ppm"] == pytest.approx(0.0), "the mapping's drift undoes the clock's"
    assert got["scenes_false"] == 0.0


def test_an_old_answer_that_never_stops_is_false_after_a_while_and_never_noticed(case: Case) -> None:
    tally = scored(case, {range(1, 81): RIGHT})
    assert tally.noticed_s == [math.inf]
    assert tally.found_s == [math.inf]
    assert tally.false["part"] == 80 - 60
    assert figures(tally)["scenes_false"] == 100.0


def test_silence_is_asked_of_those_whose_wearer_is_in_no_picture_alone(case: Case) -> None:
    seen, unseen = replace(case, tells=False, unseen=(1,)), replace(case, tells=False, unseen=(0,))
    assert case.config.imus[0].person == 0
    told = figures(scored(seen, {range(1, 48): RIGHT, range(48, 81): MOVED}))
    assert told["right_ok"] == 100.0
    assert "cannot_tell" not in told
    said = figures(scored(unseen, {range(1, 81): SILENCE}))
    assert said["cannot_tell"] == 100.0
    assert "right_ok" not in said


def test_silence_is_never_and_wins_nothing(case: Case) -> None:
    got = figures(scored(case, {range(1, 81): SILENCE}))
    assert got["first_ok_s"] == math.inf
    assert got["first_ok_within_40_s"] == 0.0
    assert got["right_ok"] == got["right_ok_offset"] == 0.0
    assert got["answers_ok"] == 0


def test_what_is_right_is_counted_for_each_answer_and_each_place(case: Case) -> None:
    unsure: list[Message] = [offset(0.76), binding(where=AMBIGUOUS)]
    got = figures(scored(case, {range(1, 36): RIGHT, range(36, 48): unsure, range(48, 81): MOVED}))
    assert got["right_ok_offset"] == got["right_ok_wearer"] == 100.0
    assert got["right_ok_part"] == got["right_ok"] == pytest.approx(100 * 25 / 29), (
        "31 to 39 s and from 61 s on"
    )
    assert got["right_ok_on_chest"] == pytest.approx(100 * 5 / 9)
    assert got["right_ok_on_head"] == 100.0


def test_where_nobody_can_tell_silence_is_what_counts(case: Case) -> None:
    untold = replace(case, tells=False)
    got = figures(scored(untold, {range(1, 41): SILENCE, range(41, 81): [offset(), binding(5, "head")]}))
    assert "first_ok_s" not in got
    assert got["cannot_tell"] == 50.0
    assert got["guessed_wrong"] == 50.0


def test_tallies_of_scenes_add_up(case: Case) -> None:
    total = Tally()
    for said in (RIGHT, SILENCE):
        total.add(scored(case, {range(1, 81): said}))
    assert total.scenes == 2
    assert sorted(total.first_s["all"]) == [1, math.inf]
    assert figures(total)["scenes_false"] == 50.0


# --- playing ---


def test_the_same_seed_gives_the_same_numbers() -> None:
    def numbers() -> list[object]:
        player, judge = Player(SMALL, checkpoint.load(), 2.0, torch.device("cpu")), Judge(SMALL)
        return [
            [(o.p, o.error_s, o.sigma_s) for o in one.offsets] + [one.part.p, one.moving, one.part.right]
            for moment in player.moments()
            for one in judge.judge(moment)
        ]

    first = numbers()
    assert len(first) == 6
    assert first == numbers()
    assert len({json.dumps(each) for each in first}) > 3, "the answers change as evidence comes in"


def test_who_is_in_no_picture_is_no_candidate() -> None:
    config = Plan(people=2, cameras=1, imus=1, absence_every_s=0.0).scene(3)
    player = Player(Case("unseen", "", config, 2.0, unseen=(0,)), checkpoint.load(), 1.0, torch.device("cpu"))
    moments = list(player.moments())
    assert [set(m.truth.tracks["cam0"].values()) for m in moments] == [{"person_2"}] * 2
    (track,) = moments[-1].truth.tracks["cam0"]
    assert [key[1] for key in player.engine.tracks] == [int(track)]


def test_cameras_apart_show_one_person_each() -> None:
    config = Plan(people=2, cameras=2, imus=1, absence_every_s=0.0).scene(3)
    player = Player(Case("apart", "", config, 1.0, apart=True), checkpoint.load(), 1.0, torch.device("cpu"))
    (moment,) = player.moments()
    shown = {camera: set(people.values()) for camera, people in moment.truth.tracks.items()}
    assert shown == {"cam0": {"person_1"}, "cam1": {"person_2"}}
    assert {camera for camera, _ in player.engine.tracks} == {"cam0", "cam1"}
    assert len(player.engine.tracks) == 2


def test_a_case_gives_figures_and_its_cost_and_the_json_is_flat(tmp_path: Path) -> None:
    result = run.played(replace(SMALL, seconds=3.0), None)
    assert result.cost["cpu_of_real_time"] > 0
    assert 0.3 < result.cost["age_p50_s"] < 5.0
    assert sum(result.cost[f"cpu_{stage}"] for stage in cost.STAGES) == pytest.approx(100.0)
    path = tmp_path / "bench.json"
    run._write(path, run.flat([result]))
    document = json.loads(path.read_text())
    assert document["small/first_ok_s"] is None, "never"
    assert document["overall/scenes"] == 1
    assert all(value is None or isinstance(value, int | float) for value in document.values())
    text = printed([result], 80)
    assert "never" in text
    assert all(stage in text for stage in cost.STAGES)


def printed(results: list[run.Result], width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table.answers(results, figures(run.overall(results))), table.costs(results))
    return console.export_text()


def test_all_figures_of_all_scenes_fit_into_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest names and the widest values there are, in every column."""
    every = [*table._SOON, *table._RIGHT, *table._COSTS, *table._STAGES]
    wide = {key: math.inf if form == ".0f" else 100.0 for _, key, form in every}
    monkeypatch.setattr(run.Result, "figures", property(lambda _: wide))
    results = [run.Result(case, Tally(), {}) for case in scenes.cases(0, 110.0, 4)]
    text = printed(results, 80)
    lines = [line.rstrip() for line in text.splitlines()]
    assert "…" not in text
    assert lines == [line.rstrip() for line in printed(results, 300).splitlines()], "as with room enough"
    assert sum(line.startswith("moved=to another person #4 ") for line in lines) == 4, "once in each table"


def test_a_scene_without_figures_has_no_row_and_a_figure_without_scenes_no_column() -> None:
    told = Tally(first_s={key: [3.0] for key in ("all", *KINDS)})
    text = printed([run.Result(SMALL, told, {}), run.Result(replace(SMALL, factor="mute"), Tally(), {})], 80)
    assert "noticed" not in text
    soon = text[: text.index("how right")]
    assert "small" in soon
    assert "mute" not in soon


def test_stages_are_told_by_whose_code_runs() -> None:
    body = "def work(seen):\n while seen['evidence'] < 3: sum(range(1000))"
    module: dict[str, object] = {"__name__": "mobind_live.binding.evidence.tensor"}
    exec(body, module)  # a module of that name that does nothing but take time
    with cost.stages() as seen:
        module["work"](seen)  # type: ignore[operator]
    assert cost.shares(seen)["evidence"] == 100.0
    assert cost.shares(Counter()) == dict.fromkeys(cost.STAGES, 0.0)


def test_work_is_spread_and_comes_back_in_order() -> None:
    console = Console(quiet=True)
    assert in_parallel(operator.mul, [(n, 2) for n in range(5)], 2, "numbers", console) == [0, 2, 4, 6, 8]
    with pytest.raises(ModelError, match="died"):
        in_parallel(os._exit, [(3,)], 1, "numbers", console)


def test_what_cannot_be_done_is_said_before_the_work(tmp_path: Path) -> None:
    for options in (["--json", str(tmp_path / "no" / "f.json")], ["--json", str(tmp_path)], ["--seed", "-1"]):
        result = CliRunner().invoke(app, ["bench", *options])
        assert result.exit_code in (1, 2)
        assert "cannot be written" in result.output or "seed" in result.output


def test_an_unknown_factor_is_named_with_those_there_are() -> None:
    result = CliRunner().invoke(app, ["bench", "--only", "weather"])
    assert result.exit_code == 2
    assert "no such factor; one of base, people" in result.output
