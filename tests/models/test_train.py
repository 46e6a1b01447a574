"""Training: repeatable, resumable to the same weights, and plain about what is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from mocap import quiet, write_takes
from safetensors import safe_open
from typer.testing import CliRunner

from mobind_live.cli import app
from mobind_live.models import checkpoint, output, pack, run_state, train
from mobind_live.models.errors import CheckpointError, DatasetError, ModelError, OutputError, RecipeError
from mobind_live.models.recipe import TrainConfig
from mobind_live.models.train import Interrupted
from mobind_live.models.train_actions import ActionRecipe
from mobind_live.models.train_peer import PeerRecipe
from mobind_live.models.train_placement import PlacementRecipe


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mocap")
    takes = write_takes(folder / "bvh", ["d_walk_plain_001", "d_wave_plain_001"])
    return pack.pack(takes, folder / "motion.npz", 1, quiet()).path


CPU = torch.device("cpu")


def recipe(motion: Path, output: Path, **changes: object) -> TrainConfig:
    plain: dict[str, object] = {
        "motion": motion, "output": output, "steps": 3, "people": 2, "worn": 2, "reels": 1, "reel_s": 16.0,
        "device": "cpu", "threads": 1, "loaders": 0, "save_every": 100, "width": 8, "embedding": 4,
    }  # fmt: skip
    return TrainConfig.model_validate(plain | changes)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(path).state_dict()


@pytest.fixture(scope="module")
def uninterrupted(motion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train.train(recipe(motion, tmp_path_factory.mktemp("run") / "whole.safetensors"))


def test_a_stopped_run_goes_on_to_the_same_weights(
    motion: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(motion, tmp_path / "two" / "halves.safetensors")
    update = run_state.update
    steps = []

    def interrupted(*given: object) -> object:
        steps.append(len(steps))
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return update(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(run_state, "update", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted) as stopped:
        train.train(config)
    assert (stopped.value.step, stopped.value.steps) == (2, 3)
    assert signal.getsignal(signal.SIGINT) is before

    train.train(config)

    assert len(steps) == 3
    whole, halves = weights(uninterrupted), weights(config.output)
    assert all(torch.equal(whole[name], halves[name]) for name in whole)


def test_the_header_says_how_it_was_made_and_not_where(motion: Path, uninterrupted: Path) -> None:
    with safe_open(uninterrupted, framework="pt") as file:
        header = file.metadata()

    assert header["steps"] == "3"
    assert '"motion":"motion.npz"' in header["config"]
    assert str(motion.parent) not in str(header)


def test_another_seed_is_another_run(motion: Path, uninterrupted: Path, tmp_path: Path) -> None:
    other = weights(train.train(recipe(motion, tmp_path / "other.safetensors", seed=1, steps=1)))

    assert not torch.equal(other["imu.out.weight"], weights(uninterrupted)["imu.out.weight"])


def test_a_state_that_does_not_fit_is_refused_by_name(motion: Path, tmp_path: Path) -> None:
    config = recipe(motion, tmp_path / "a.safetensors", steps=1)
    state = tmp_path / "a.state"
    state.write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match=r"a\.state"):
        train.train(config)

    state.unlink()
    train.train(config)
    with pytest.raises(CheckpointError, match="of another recipe"):
        train.train(recipe(motion, tmp_path / "a.safetensors", steps=2))


def test_a_run_knows_its_files_by_what_is_in_them(motion: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """Carried elsewhere they are the same; and another file under the same name is not."""
    own, other = tmp_path / "m.npz", tmp_path / "other.npz"
    own.write_bytes(motion.read_bytes())
    config = recipe(own, tmp_path / "a.safetensors", steps=1, start_from=uninterrupted)
    train.train(config)
    own.rename(other)
    train.train(config.model_copy(update={"motion": other}))
    with pytest.raises(CheckpointError, match="of another recipe"):
        train.train(config.model_copy(update={"motion": other, "start_from": tmp_path / "a.safetensors"}))
    other.write_bytes(other.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="of another recipe"):
        train.train(config.model_copy(update={"motion": other}))


def test_whatever_is_in_place_of_a_state_is_refused_in_one_line(
    motion: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    config, state = recipe(motion, tmp_path / "whole.safetensors"), tmp_path / "a.state"
    good = uninterrupted.with_suffix(".state").read_bytes()
    saved = torch.load(BytesIO(good), weights_only=True)
    others = [None, [1, 2], torch.zeros(3), *({**saved, name: None} for name in saved)]
    cut_off = [good[: len(good) * tenth // 10] for tenth in range(10)]

    for data in [*cut_off, bytes(len(good)), b"text\n" * 9, *map(pickled, others)]:
        state.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"a\.state: .*remove it to train from the start$"):
            run_state.restore(run_state.prepare(config, CPU), state, CPU)


def pickled(value: object) -> bytes:
    data = BytesIO()
    torch.save(value, data)
    return data.getvalue()


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing_cut_off(motion: Path, tmp_path: Path) -> None:
    (tmp_path / f"a.state.{os.getpid()}.part").symlink_to("/dev/full")

    with pytest.raises(OutputError, match=r"a\.state: cannot be written: No space left on device"):
        train.train(recipe(motion, tmp_path / "a.safetensors", steps=1))

    assert not list(tmp_path.iterdir())


def test_a_run_killed_between_its_last_state_and_its_weights_writes_them(
    motion: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(motion, tmp_path / "a.safetensors", save_every=2)
    write_state = output.write

    def killed(path: Path, data: bytes) -> None:
        write_state(path, data)
        if torch.load(tmp_path / "a.state", weights_only=True)["step"] == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(output, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(config)
    assert not torch.equal(weights(config.output)["imu.out.weight"], weights(uninterrupted)["imu.out.weight"])

    train.train(config)

    whole, again = weights(uninterrupted), weights(config.output)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_starting_from_weights(motion: Path, uninterrupted: Path, tmp_path: Path) -> None:
    same = train.train(
        recipe(motion, tmp_path / "b.safetensors", steps=1, rate=1e-12, start_from=uninterrupted)
    )

    torch.testing.assert_close(
        weights(same)["imu.out.weight"], weights(uninterrupted)["imu.out.weight"], atol=1e-6, rtol=0
    )
    with pytest.raises(CheckpointError, match=r"whole\.safetensors"):
        train.train(recipe(motion, tmp_path / "c.safetensors", width=16, start_from=uninterrupted))


def test_a_blend_goes_part_of_the_way(motion: Path, uninterrupted: Path, tmp_path: Path) -> None:
    given = {"rate": 0.05, "seed": 1, "centred_from_s": 0.0, "start_from": uninterrupted}

    whole = train.train(recipe(motion, tmp_path / "whole.safetensors", **given))
    part = train.train(recipe(motion, tmp_path / "part.safetensors", blend=0.25, **given))

    name = "imu.out.weight"
    start, end = weights(uninterrupted)[name], weights(whole)[name]
    assert not torch.allclose(start, end)
    torch.testing.assert_close(weights(part)[name], 0.75 * start + 0.25 * end)


def test_two_processes_train_one_network(motion: Path, uninterrupted: Path, tmp_path: Path) -> None:
    text = "motion: {motion}\noutput: two.safetensors\nsteps: 3\npeople: 2\nworn: 2\nreels: 1\nreel_s: 16.0\n"
    small = "device: cpu\nthreads: 1\nloaders: 0\nwidth: 8\nembedding: 4\n"
    (tmp_path / "two.yaml").write_text(text.format(motion=motion) + small)
    # A thread of the group that is left when the interpreter ends aborts the process now and then.
    (tmp_path / "two.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom mobind_live.cli import app\n"
        f"app(['train', {str(tmp_path / 'two.yaml')!r}], standalone_mode=False)\n"
        "names = [(task / 'comm').read_text() for task in Path('/proc/self/task').glob('*')]\n"
        "sys.exit(f'threads left: {names}' if any('gloo' in name for name in names) else 0)\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    done = subprocess.run(
        [*torchrun, str(tmp_path / "two.py")],
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    two, one = weights(tmp_path / "two.safetensors"), weights(uninterrupted)
    assert all(bool(torch.isfinite(value).all()) for value in two.values())
    assert any(not torch.equal(two[name], one[name]) for name in two)
    with pytest.raises(
        CheckpointError, match=r"two\.state: of a run in 2 processes, not 1; go on in as many"
    ):
        train.train(TrainConfig.read(tmp_path / "two.yaml"))


def test_missing_data_are_named(motion: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="mobind-live pack"):
        train.train(recipe(tmp_path / "none.npz", tmp_path / "d.safetensors"))
    with pytest.raises(DatasetError, match="no UTD-MHAD clips"):
        train.train(recipe(motion, tmp_path / "d.safetensors", utd_mhad=tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("motion: a.npz\noutput: b\nsteeps: 3\n", "steeps: unknown key; allowed: output, motion, steps"),
        ("output: b\n", "motion: must be given"),
        ("motion: a.npz\noutput: b\nsteps: many\n", "steps: "),
        ("motion: a.npz\noutput: b\nsteps: 0\n", "steps: Input should be greater than or equal to 1"),
        ("motion: a.npz\noutput: b\nrate: .inf\n", "rate: Input should be a finite number"),
        ("motion: a.npz\noutput: b\nwindows_s: []\n", "windows_s: "),
        ("motion: a.npz\noutput: b\nwindows_s: [[30, 45]]\n", "reel_s: windows of 45 s need reels of"),
        ("motion: a.npz\noutput: b\nwindows_s: [[0.3, 3]]\n", "windows_s.0.0: Input should be greater than"),
        ("motion: a.npz\noutput: b\nreal_every: 2\n", "real_every: there are no real pairs without utd_mhad"),
        ("motion: a.npz\noutput: .\n", "is a folder; name a file"),
        ("motion: a.npz\noutput: /proc/b\n", "output: /proc/b: cannot be written"),
        ("motion: [a\n", "not YAML"),
        ("- 1\n", "must be keys and values"),
        ("motion: a.npz\noutput: b.safetensors\n", "not a packed motion file"),
        (None, "no such file"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    if text is not None:
        path.write_text(text)

    result = CliRunner().invoke(app, ["train", str(path)])

    assert result.exit_code == (1 if "packed" in said else 2)
    assert result.stderr.startswith("mobind-live: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_paths_count_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("motion: m.npz\noutput: ../out.safetensors\n")

    config = TrainConfig.read(tmp_path / "r.yaml")

    assert config.motion == tmp_path / "m.npz"
    assert config.output == tmp_path.parent / "out.safetensors"


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there(motion: Path, tmp_path: Path, device: str) -> None:
    with pytest.raises(RecipeError, match=device):
        train.train(recipe(motion, tmp_path / "e.safetensors", device=device))


OTHERS = {"actions": ActionRecipe, "placement": PlacementRecipe, "mobind": PeerRecipe, "imu2clip": PeerRecipe}


def test_the_recipes_that_ship_can_be_read(root: Path) -> None:
    recipes = {path.stem: path for path in (root / "models" / "recipes").glob("*.yaml")}
    assert recipes.keys() > OTHERS.keys()
    for name, path in recipes.items():
        OTHERS.get(name, TrainConfig).read(path)


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_the_last_state(
    motion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = run_state.binding_loss
    steps: list[int] = []

    def exploding(*given: object, **options: object) -> object:
        steps.append(1)
        found = loss(*given, **options)  # pyright: ignore[reportArgumentType]
        return replace(found, total=found.total * (float("nan") if len(steps) == 3 else 1.0))

    monkeypatch.setattr(run_state, "binding_loss", exploding)
    config = recipe(motion, tmp_path / "x.safetensors", save_every=1)
    with pytest.raises(ModelError, match="step 2: the loss is no number; lower the rate"):
        train.train(config)
    assert all(bool(value.isfinite().all()) for value in weights(config.output).values())


def test_a_blend_goes_on_from_what_it_started_from_even_where_that_is_written_over(
    motion: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"seed": 1, "blend": 0.5, "save_every": 1}
    for name in ("whole", "parts"):
        (tmp_path / f"{name}.safetensors").write_bytes(uninterrupted.read_bytes())
    whole, parts = (
        recipe(motion, tmp_path / f"{n}.safetensors", start_from=tmp_path / f"{n}.safetensors", **given)
        for n in ("whole", "parts")
    )
    train.train(whole)
    save = run_state.save

    def stopped(*given: object) -> None:
        save(*given)  # pyright: ignore[reportArgumentType]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_state, "save", stopped)
        with pytest.raises(KeyboardInterrupt):
            train.train(parts)
    train.train(parts)
    assert all(
        torch.equal(a, b) for a, b in zip(*(weights(c.output).values() for c in (whole, parts)), strict=True)
    )


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(config: TrainConfig) -> Path:
        raise Interrupted(5, 9)

    monkeypatch.setattr(train, "train", stopped)
    path = tmp_path / "r.yaml"
    path.write_text("motion: m.npz\noutput: o.safetensors\n")

    result = CliRunner().invoke(app, ["train", str(path)])

    assert result.exit_code == 130
    assert result.stderr == f"stopped after step 5 of 9; go on with: mobind-live train {path}\n"


def test_pack_from_the_command_line(motion: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pack", str(motion.parent / "bvh"), "--output", str(tmp_path / "p.npz")])
    wrong = CliRunner().invoke(app, ["pack", str(tmp_path / "no"), "--output", str(tmp_path / "q.npz")])

    assert done.exit_code == 0
    assert "2 takes" in done.stdout
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        f"mobind-live: {tmp_path / 'no'}: no such folder or archive of .bvh files\n",
    )
