"""MoBind (CVPR 2026) from the paper's description, and the IMU2CLIP (2022) encoder in its place.

Windows of up to 5 s at 50 Hz. An IMU's window is acceleration and orientation, a body part's three joints'
places in the picture; each becomes tokens of 0.2 s with learned positions, and their mean one embedding. A
time is found by windows voting in bins of 0.2 s. Parts are the paper's five: wrists, knees, head.

Left out: masked token prediction, which the paper adds for action recognition.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional

from mobind_live.models import checkpoint
from mobind_live.models.features import ImuFeatures
from mobind_live.vocabulary import KEYPOINT, PARTS

KIND = "mobind-live peer 1"
Form = Literal["mobind", "imu2clip"]
HZ = 50.0
WINDOW_S, TOKEN_STEPS = 5.0, 10
TOKENS = round(WINDOW_S * HZ) // TOKEN_STEPS
WIDTH, LAYERS, HEADS, FEED_FORWARD = 256, 4, 8, 128
_CHANNELS = (32, 64, 128, 128)
IMU_WIDTH, POSE_WIDTH = 7, 6
_PICTURE = np.array([1280.0, 720.0])

_CHAINS = {"head": ("nose", "left_eye", "right_eye")} | {
    f"{side}_{part}": tuple(f"{side}_{joint}" for joint in joints)
    for side in ("left", "right")
    for part, joints in (
        ("forearm", ("shoulder", "elbow", "wrist")),
        ("shank", ("hip", "knee", "ankle")),
        ("thigh", ("hip", "knee", "ankle")),
    )
}


class Windows(nn.Module):
    """The paper's encoder: windows (B, T, channels) to tokens (B, T // 10, 256)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in _CHANNELS:
            layers += [
                nn.Conv1d(channels, width, 5, padding=2),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Dropout(0.3),
            ]
            channels = width
        self.convolutions = nn.Sequential(*layers)
        self.token = nn.Linear(channels * TOKEN_STEPS, WIDTH)
        self.position = nn.Parameter(0.02 * torch.randn(TOKENS, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions(x.transpose(1, 2)).unflatten(2, (-1, TOKEN_STEPS))
        tokens = self.token(y.permute(0, 2, 1, 3).flatten(2))
        return self.transformer(tokens + self.position[: tokens.shape[1]])


class Recurrent(nn.Module):
    """IMU2CLIP's encoder: acceleration and turning normalized apart, convolutions, a GRU; its states at every
    0.2 s stand for tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, channels)
        self.convolutions = nn.Sequential(
            nn.Conv1d(channels, 128, 5, padding=2), nn.MaxPool1d(5),
            nn.Conv1d(128, 256, 5, padding=2), nn.MaxPool1d(2),
            nn.Conv1d(256, 256, 3, padding=1), nn.GroupNorm(4, 256),
        )  # fmt: skip
        self.gru = nn.GRU(256, WIDTH, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.convolutions(self.norm(x.transpose(1, 2))).transpose(1, 2))[0]


class Peer(nn.Module):
    """Both encoders and the temperature."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form: Form = form
        self.imu = Windows(IMU_WIDTH) if form == "mobind" else Recurrent(IMU_WIDTH - 1)
        self.pose = Windows(POSE_WIDTH)
        self.imu_out, self.pose_out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.body = nn.Sequential(nn.Linear(5 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    @property
    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp(max=100)

    def embed_imu(self, x: Tensor) -> Tensor:
        """(B, T, channels) to unit embeddings (B, 256)."""
        return functional.normalize(self.imu_out(self.imu(x).mean(1)), dim=-1)

    def embed_pose(self, x: Tensor) -> Tensor:
        return functional.normalize(self.pose_out(self.pose(x).mean(1)), dim=-1)


def imu_channels(form: Form, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(R, T, 7) acceleration and orientation (a quaternion, from gyro and gravity), or, for IMU2CLIP, (R, T,
    6) acceleration and gyro; float32."""
    if form == "imu2clip":
        return np.concatenate([acc_g, gyro_rad_s], axis=-1).astype(np.float32)
    turned = ImuFeatures(len(acc_g)).orientation(acc_g, gyro_rad_s, valid)
    quaternion = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_quat(canonical=True)
    return np.concatenate([acc_g, quaternion.reshape(*acc_g.shape[:-1], 4)], axis=-1).astype(np.float32)


def pose_channels(keypoints: np.ndarray) -> np.ndarray:
    """(..., 11, T, 6) float32: three joints' places over the picture's size; zeros for parts that the paper
    does not have. ``keypoints`` (..., T, 17, 3)."""
    out = np.zeros((*keypoints.shape[:-3], len(PARTS), keypoints.shape[-3], POSE_WIDTH), np.float32)
    for part, joints in _CHAINS.items():
        places = keypoints[..., [KEYPOINT[joint] for joint in joints], :2] / _PICTURE - 0.5
        out[..., PARTS.index(part), :, :] = places.reshape(*places.shape[:-2], POSE_WIDTH)
    return out


def load(path: Path) -> Peer:
    """A trained peer. Raises CheckpointError naming the file and what is wrong."""
    return checkpoint.read(path, KIND, lambda header: Peer(json.loads(header["form"])))


class Voting:
    """A peer as a ``Method``: its streams are its inputs, and windows are encoded where they are compared."""

    hz = HZ

    def __init__(self, peer: Peer) -> None:
        self.peer, self.name = peer.eval(), peer.form
        self._known: dict[bytes, np.ndarray] = {}

    def imu(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return imu_channels(self.peer.form, acc_g[None], gyro_rad_s[None], valid[None])[0]

    def pose(self, keypoints: np.ndarray) -> np.ndarray:
        return pose_channels(keypoints)

    def score(self, imu: np.ndarray, pose: np.ndarray, low: int, high: int) -> np.ndarray:
        """Cosine at each lag where one window holds all of the pose, else votes; -1 for unknown parts."""
        lead = pose.shape[:-2]
        rows = pose.reshape(-1, *pose.shape[-2:])
        longest = round(WINDOW_S * HZ)
        if -low <= TOKEN_STEPS * 2 or pose.shape[-2] <= longest:
            curves = self._slid(imu, rows, low, high)
        else:
            curves = np.stack([self._votes(imu, row, low, high) for row in rows])
        curves[~rows.any(axis=(1, 2))] = -1.0
        return curves.reshape(*lead, -1)

    def parts(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return np.zeros(len(PARTS))

    def _slid(self, imu: np.ndarray, rows: np.ndarray, low: int, high: int) -> np.ndarray:
        """As much of each row's pose, up to a window of it, as meets the IMU at every lag, against what of
        the IMU it meets there."""
        lags = np.arange(low, high + 1)
        longest = min(rows.shape[1] - max(0, -low), len(imu) - max(0, high), round(WINDOW_S * HZ))
        steps = max(1, longest // TOKEN_STEPS) * TOKEN_STEPS
        # Where it begins in the IMU, and where in the pose: one of both is its begin.
        felt, own_of = np.unique(np.clip(lags, 0, len(imu) - steps), return_inverse=True)
        seen, other_of = np.unique(np.clip(-lags, 0, rows.shape[1] - steps), return_inverse=True)
        own = self._embedded(np.stack([imu[s : s + steps] for s in felt]), "imu")
        other = np.stack([self._embedded(rows[:, s : s + steps], "pose") for s in seen])
        return np.einsum("lre,le->rl", other[other_of], own[own_of])

    def _votes(self, imu: np.ndarray, pose: np.ndarray, low: int, high: int) -> np.ndarray:
        """The paper's reading: windows every 0.2 s, five votes each, bins of 0.2 s."""
        size = round(WINDOW_S * HZ)
        firsts = [np.arange(0, len(x) - size + 1, TOKEN_STEPS) for x in (imu, pose)]
        own, other = (
            self._embedded(np.stack([x[f : f + size] for f in first]), which)
            for x, first, which in zip((imu, pose), firsts, ("imu", "pose"), strict=True)
        )
        similarity = own @ other.T
        lags = firsts[0][:, None] - firsts[1][None]
        similarity = np.where((lags >= low) & (lags <= high), similarity, -2.0)
        curve = np.zeros(high - low + 1)
        for row, lag in zip(similarity, lags, strict=True):
            for best in np.argsort(-row)[:5]:
                if row[best] > -2:
                    curve[lag[best] - low] += max(float(row[best]), 0.0)
        return curve

    @torch.inference_mode()
    def _embedded(self, windows: np.ndarray, which: str) -> np.ndarray:
        windows = np.ascontiguousarray(windows)
        key = hashlib.blake2b(windows.tobytes() + which.encode(), digest_size=16).digest()
        if key not in self._known:
            embed = self.peer.embed_imu if which == "imu" else self.peer.embed_pose
            parts = torch.as_tensor(windows).split(512)
            self._known[key] = torch.cat([embed(part) for part in parts]).numpy()
        return self._known[key]
