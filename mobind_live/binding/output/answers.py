"""The engine's beliefs as messages."""

from __future__ import annotations

from mobind_live.binding.engine import Engine
from mobind_live.binding.output import bindings
from mobind_live.binding.output.actions import Actions
from mobind_live.binding.output.alarms import with_alarms
from mobind_live.binding.output.offsets import Offsets
from mobind_live.binding.output.saved import SavedState
from mobind_live.schema import Health, Message


class Answers:
    """Turns an engine's state into messages."""

    def __init__(self, engine: Engine, actions: Actions | None = None) -> None:
        self.engine = engine
        self.offsets = Offsets(engine)
        self.actions = actions
        self._doubted: set[str] = set()

    def note_health(self, message: Health) -> None:
        """Remember each stream's clock mapping, which offsets report beside their own, and whose numbers are
        doubted, which say nothing of what anybody does."""
        for stream in message.streams:
            self.offsets.note_health(stream)
            if stream.doubt:
                self._doubted.add(stream.stream)
            else:
                self._doubted.discard(stream.stream)

    def save(self) -> bytes:
        """What is known now, for the answers of the worker that comes after this one."""
        beliefs = self.engine.beliefs
        learned = beliefs.learned.after_all(self.engine.views())
        return SavedState(learned, beliefs.wearers, self.offsets.left()).to_bytes()

    def restore(self, saved: bytes) -> None:
        """Begin with what the worker before has left."""
        given = SavedState.from_bytes(saved)
        self.engine.beliefs.learned, self.engine.beliefs.wearers = given.learned, given.wearers
        self.offsets.begin_with(given.courses)

    def messages(self, now_ns: int) -> list[Message]:
        """Every answer there is, at host time ``now_ns``."""
        engine = self.engine
        views, imus = engine.views(), range(len(engine.names))
        offsets = [
            self.offsets.message(imu, camera, view, now_ns) for camera, view in views.items() for imu in imus
        ]
        cameras = [
            self.offsets.camera_message(*pair, tie, now_ns)
            for pair, tie in engine.beliefs.ties.found.items()
            if set(pair) <= views.keys()
        ]
        unnamed = [bindings.message(engine, imu, views, now_ns) for imu in imus]
        named = with_alarms(bindings.named(unnamed, engine.beliefs.wearers))
        trusted = [binding for binding in named if binding.stream not in self._doubted]
        acting = self.actions.messages(trusted, offsets, now_ns) if self.actions else []
        return [*offsets, *cameras, *named, *acting]
