"""Whatever a recipient does, in whatever order, a mailbox is what a simple model says it is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mm_soap.message import new_message
from mm_soap.service_supplier import ARCHIVE, INBOX, TRASH
from mm_soap.storage import migrate
from mm_soap.testing.databases import fresh_database

from .deliveries import RECIPIENT, STRANGER
from .test_inbox import DAY, PDF, World

any_number = st.integers(0, 100)


class Walk(RuleBasedStateMachine):
    """A mailbox beside its model: for each key the place, and where it goes back to."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.context = fresh_database(Path(self.folder.name))
        engine = self.context.__enter__()
        migrate(engine, "service_supplier")
        self.world = World(engine, Path(self.folder.name) / "blobs")
        self.inbox = self.world.inbox
        self.places: dict[str, int] = {}
        self.back: dict[str, int] = {}
        self.thrown: dict[str, Any] = {}
        self.folders: list[int] = []
        self.world.deliver(new_message("Annans", text="x"), to=STRANGER)

    def teardown(self) -> None:
        if hasattr(self, "context"):
            self.context.__exit__(None, None, None)
            self.folder.cleanup()

    def choose(self, number: int) -> str:
        keys = sorted(self.places)
        return keys[number % len(keys)]

    @rule()
    def receive(self) -> None:
        key = self.world.deliver(new_message("Brev", text="Hej", attachments=[PDF]))
        self.places[key], self.back[key] = INBOX, INBOX

    @rule()
    def make_folder(self) -> None:
        self.folders.append(self.inbox.make_folder(RECIPIENT, f"Nr {len(self.folders)} {self.world.clock()}"))
        self.world.clock.advance(DAY / 1000)

    @precondition(lambda self: self.folders)
    @rule(number=any_number)
    def remove_folder(self, number: int) -> None:
        gone = self.folders.pop(number % len(self.folders))
        self.inbox.remove_folder(RECIPIENT, gone)
        for kept in (self.places, self.back):
            kept.update({key: INBOX for key, place in kept.items() if place == gone})

    @precondition(lambda self: self.places)
    @rule(number=any_number, to=any_number)
    def move(self, number: int, to: int) -> None:
        key, choices = self.choose(number), [INBOX, ARCHIVE, TRASH, *self.folders]
        place = choices[to % len(choices)]
        self.inbox.move(RECIPIENT, key, place)
        self.put(key, place)

    @precondition(lambda self: self.places)
    @rule(number=any_number)
    def restore(self, number: int) -> None:
        key = self.choose(number)
        self.inbox.restore(RECIPIENT, key)
        if self.places[key] in (ARCHIVE, TRASH):
            self.put(key, self.back[key])

    @rule()
    def empty_trash(self) -> None:
        gone = [key for key, place in self.places.items() if place == TRASH]
        assert self.inbox.empty_trash(RECIPIENT) == len(gone)
        self.forget(gone)

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.world.clock.advance(days * DAY)
        self.world.keep_house()
        now = self.world.clock()
        self.forget([key for key, since in self.thrown.items() if since < now - 30 * DAY])

    def put(self, key: str, place: int) -> None:
        before = self.places[key]
        if place == before:
            return
        kept = self.back[key] if before == TRASH else before
        self.back[key] = INBOX if place >= INBOX or kept == place else kept
        self.places[key] = place
        self.thrown.pop(key, None)
        if place == TRASH:
            self.thrown[key] = self.world.clock()

    def forget(self, keys: list[str]) -> None:
        for key in keys:
            del self.places[key], self.back[key]
            self.thrown.pop(key, None)

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "world"):
            return
        counted = {one.id: one.messages for one in self.inbox.folders(RECIPIENT)}
        for place in (INBOX, ARCHIVE, TRASH, *self.folders):
            expected = {key for key, where in self.places.items() if where == place}
            assert {line.key for line in self.inbox.page(RECIPIENT, place, most=200).lines} == expected
            assert counted[place] == len(expected)
        assert set(counted) == {INBOX, ARCHIVE, TRASH, *self.folders}
        found = {line.key for line in self.inbox.search(RECIPIENT, "brev", most=200).lines}
        assert found == {key for key, place in self.places.items() if place != TRASH}
        assert len(self.world.blobs()) == len(self.places)
        assert len(self.inbox.page(STRANGER).lines) == 1


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=15, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow])
