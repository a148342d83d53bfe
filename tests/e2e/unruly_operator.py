"""A mailbox operator that does everything wrong but one: what it has stored it stores once, and answers as before."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.e2e.fake_operator import Answer, FakeOperator, fault, result, soap

LATE = 1.6
REFUSAL = 5002


@dataclass
class UnrulyOperator(FakeOperator):
    """Fails most messages a time or two, each in a way of its own, and refuses some for good.

    ``stored`` has the bytes of each message in a mailbox; ``calls`` how often each came; ``refused`` which it refused.
    """

    stored: dict[str, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    other_bytes: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes) -> Answer:
        """Answer a call for one message."""
        (message,) = (each.decode() for each in re.findall(rb"<Header><Id>([^<]+)</Id>", body))
        with self.lock:
            self.calls[message] += 1
            if message in self.refused:
                return fault(REFUSAL)
            if message in self.stored:
                if self.stored[message] != body:
                    self.other_bytes.append(message)
                return result(body)
            mood = self.chance.randrange(12) if self.calls[message] < 3 else 0
            if mood == 1:
                self.refused.add(message)
                return fault(REFUSAL)
            if mood in (0, *range(6, 12)):
                self.stored[message] = body
        good = result(body)
        return {
            2: Answer(500, b"<html>Internal Server Error</html>", content_type="text/html"),
            3: Answer(200, b"\x00\xff garbage"),
            4: fault(4000),
            5: soap("<e:Fault><faultcode>e:Server</faultcode><faultstring>no detail</faultstring></e:Fault>", 500),
            # Stored, and the answer is lost or of no use.
            6: Answer(None),
            7: Answer(200, good.body, after=LATE),
            8: Answer(200, good.body + good.body),
            9: fault(4001),
        }.get(mood, good)
