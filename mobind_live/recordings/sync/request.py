"""The files of a recording as the command line names them, and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from mobind_live.binding.evidence.timeline import IMU_GAP_NS
from mobind_live.devices.camera.pose import PoseOptions
from mobind_live.devices.camera.turn import ROTATIONS, Turn
from mobind_live.driver import subject_name
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.files.hints import Hints, parse_columns, parse_units
from mobind_live.recordings.files.imu import ImuFile, read_imu
from mobind_live.recordings.files.imu_pair import read_pair
from mobind_live.recordings.files.stamps import rate_hz

_LEAST_HZ = 7  # of an IMU: less leaves gaps of more than IMU_GAP_NS between all samples
Sources = dict[str, tuple[tuple[Path, ...], Hints]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """``imus`` are ``NAME=FILE`` or ``NAME=FILE,FILE``, ``subjects`` ``NAME=IMU,IMU``; ``imu_columns`` and
    ``units`` are as ``hints`` parses them, each for all IMUs or, with ``NAME:`` before it, for one. Offsets
    are looked for up to ``max_offset_s``. ``rotate`` and ``mirror`` are what ``turn`` makes of them."""

    imus: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    video: Path | None = None
    keypoints: Path | None = None
    max_offset_s: float = 10.0
    imu_columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    pose: PoseOptions
    rotate: int = 0
    mirror: bool = False

    @property
    def has_camera(self) -> bool:
        """Whether there is anything that people are seen in. Raises HintError if there are two, or if there
        is no video to turn."""
        if self.video is not None and self.keypoints is not None:
            raise HintError("give one of --video and --keypoints, not both")
        if self.turn != Turn() and self.video is None:
            raise HintError("--rotate and --mirror are for a --video: there is none")
        return self.video is not None or self.keypoints is not None

    @property
    def turn(self) -> Turn:
        """How the video's pictures are set right. Raises HintError."""
        for rotate in ROTATIONS:
            if rotate == self.rotate:
                return Turn(rotate, self.mirror)
        raise HintError(f"--rotate {self.rotate}: it can be 0, 90, 180 or 270, clockwise")

    def sensors(self) -> Sources:
        """Each IMU's file or two, and what is said of them; there may be none. Raises HintError."""
        paths: dict[str, tuple[Path, ...]] = {}
        for text in self.imus:
            name, _, path = text.partition("=")
            if not name or not path:
                raise HintError(f"--imu {text}: expected NAME=FILE, such as --imu left_arm=left_arm.csv")
            if name in paths:
                raise HintError(f"--imu {text}: there is already an IMU named {name}")
            paths[name] = _files_of(text, path)
        hints = self._hints(set(paths))
        everywhere = hints.get("", Hints())
        return {name: (path, hints.get(name, Hints()).over(everywhere)) for name, path in paths.items()}

    def worn_by(self) -> dict[str, str]:
        """The subject of each IMU that has one. Raises HintError."""
        found: dict[str, str] = {}
        known = self.sensors()
        for text in self.subjects:
            subject, _, rest = text.partition("=")
            imus = [imu.strip() for imu in rest.split(",")]
            if not subject or not all(imus):
                raise HintError(
                    f"--subject {text}: expected NAME=IMU,IMU, such as --subject anna=wrist,ankle"
                )
            try:
                subject_name(subject)
            except ValueError as error:
                raise HintError(f"--subject {text}: {error}") from error
            for imu in imus:
                if imu not in known:
                    raise HintError(f"--subject {text}: no IMU is named {imu}; there are {', '.join(known)}")
                if imu in found:
                    raise HintError(f"--subject {text}: {imu} is already worn by {found[imu]}")
                found[imu] = subject
        return found

    def _hints(self, names: set[str]) -> dict[str, Hints]:
        hints: dict[str, Hints] = {}
        for parse, given in ((parse_columns, self.imu_columns), (parse_units, self.units)):
            for text in given:
                name, colon, rest = text.partition(":")
                own = name if colon and name in names else ""
                if colon and not own and "=" not in name:
                    raise HintError(f"{text}: no IMU is named {name}; there are {', '.join(sorted(names))}")
                hints[own] = parse(rest if own else text).over(hints.get(own, Hints()))
        return hints


def _files_of(text: str, path: str) -> tuple[Path, ...]:
    """The file, or the two with a comma between, that ``path`` names, which may have other commas in it.
    Raises HintError if it may mean more."""
    if "," not in path or Path(path).exists():
        return (Path(path),)
    commas = [place for place, letter in enumerate(path) if letter == ","]
    pairs = [(path[:place], path[place + 1 :]) for place in commas]
    pairs = [(Path(one), Path(other)) for one, other in pairs if one and other]
    meant = [pair for pair in pairs if all(one.exists() for one in pair)] or pairs
    if len(meant) != 1:
        raise HintError(
            f"--imu {text}: expected one file, or one of acceleration and one of turn rate, such as "
            "--imu left_arm=acc.csv,gyro.csv; where their names have commas, both must be there"
        )
    return meant[0]


def read_imus(files: Sources) -> dict[str, ImuFile]:
    """All IMU files. Raises FileError, with one line for each that cannot be used."""
    found, faults = {}, []
    for name, (paths, hints) in files.items():
        try:
            found[name] = _read(paths, hints)
        except FileError as error:
            faults.append(f"imu {name}: {error}")
    faults.extend(
        f"imu {name}: {found[name].path}: the same samples as imu {other}'s; name the columns of each with "
        f'--imu-columns "{name}:acc=... gyro=...", or another file'
        for other, name in combinations(found, 2)
        if _same(found[other], found[name])
    )
    if faults:
        raise FileError("\n".join(faults))
    return found


def _read(paths: tuple[Path, ...], hints: Hints) -> ImuFile:
    """The samples of one IMU. Raises FileError."""
    if len(paths) == 2:
        file = read_pair(paths, IMU_GAP_NS, hints)
    else:
        (path,) = paths
        file = read_imu(path, hints=hints)
    _refuse_slow(file)
    return file


def _refuse_slow(file: ImuFile) -> None:
    """Raises FileError where most samples are so far apart that there is a gap after each; pauses between
    many that are not are none of that."""
    apart_ns = float(np.median(np.diff(file.t_ns))) if len(file.t_ns) > 1 else 0.0
    if apart_ns > 0 and round(1e9 / apart_ns, 1) < _LEAST_HZ:
        raise FileError(f"{file.path}: {1e9 / apart_ns:.1f} Hz; at least {_LEAST_HZ} are needed")


def _same(one: ImuFile, other: ImuFile) -> bool:
    return np.array_equal(one.acc_m_s2, other.acc_m_s2) and np.array_equal(one.gyro_rad_s, other.gyro_rad_s)


def length_s(file: ImuFile) -> float:
    return float(file.t_ns[-1] - file.t_ns[0]) * 1e-9


def about(path: Path, t_ns: np.ndarray, bad_rows: int, found: str) -> str:
    """One line of what was read."""
    left_out = f", {bad_rows} rows left out" if bad_rows else ""
    span_s = float(t_ns[-1] - t_ns[0]) * 1e-9
    return f"{path}: {len(t_ns)} samples{left_out}, {rate_hz(t_ns):.1f} Hz, {span_s:.1f} s; {found}"
