import pytest

from mm_soap.testing import FrozenClock, TestPki


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def pki(clock: FrozenClock) -> TestPki:
    return TestPki(clock)
