"""Real sensors of unknown clocks: right where their wearer is seen, and silent where somebody else is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mobind_live.models import checkpoint, placement
from mobind_live.models.datasets.bench5 import OFFSETS_S
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.recordings.sync.recording import of_file
from mobind_live.recordings.sync.solve import Found, solve
from mobind_live.schema import Verdict

TABLE_S = 0.1  # the table of offsets is good to about 0.05 s


def found(sensors: Path, camera: Path) -> dict[str, Found]:
    """What a take's sensors have to do with what another's, or its own, camera saw."""
    torch.set_num_threads(1)
    people = of_file(read_keypoints(camera / "keypoints.csv")).without_passers_by()
    imus = {path.stem.removeprefix("imu_"): read_imu(path) for path in sorted(sensors.glob("imu_*.csv"))}
    return solve(people, imus, checkpoint.load(), placement.load(), 10.0, lambda share: None)


@pytest.mark.timeout(120)
def test_forearms_are_found_where_and_when_they_are(shared_data: Path) -> None:
    take = "take_8"
    said = found(shared_data / "bench5" / take, shared_data / "bench5" / take)
    for side in ("left", "right"):
        one = said[f"{side}_arm"]
        assert (one.verdict, one.part, one.part_verdict) == (Verdict.OK, f"{side}_forearm", Verdict.OK)
        assert one.offset_s == pytest.approx(OFFSETS_S[take][f"{side}_forearm"], abs=TABLE_S)
    for name, one in said.items():
        if one.part_verdict is Verdict.OK:
            assert one.part == name.replace("arm", "forearm").replace("leg", "shank")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("sensors", "camera"), [("take_8", "early_3"), ("early_3", "take_8")])
def test_sensors_of_another_recording_are_on_nobody_for_sure(
    shared_data: Path, sensors: str, camera: str
) -> None:
    said = found(shared_data / "bench5" / sensors, shared_data / "bench5" / camera)
    for name, one in said.items():
        assert one.verdict in (Verdict.AMBIGUOUS, Verdict.UNBOUND), name
        assert one.part_verdict in (Verdict.AMBIGUOUS, Verdict.UNBOUND), name
