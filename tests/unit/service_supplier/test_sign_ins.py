"""Sign-ins to an operator's pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, select

from mm_soap.service_supplier import SignIns, store
from mm_soap.service_supplier.sign_ins import forget_sign_ins
from mm_soap.storage import migrate, reading, writing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_sign_in_holds_until_it_is_ended_or_over_and_no_other_with_it(engine: Engine) -> None:
    migrate(engine, "service_supplier")
    sign_ins = SignIns(engine)
    one, other = sign_ins.begin(NOW + HOUR), sign_ins.begin(NOW + 2 * HOUR)
    assert sign_ins.holds(one, NOW)
    assert not sign_ins.holds(one, NOW + HOUR)
    assert not sign_ins.holds("", NOW)
    assert not sign_ins.holds(one[:-1], NOW)
    sign_ins.end(one)
    sign_ins.end(one)
    assert not sign_ins.holds(one, NOW)
    assert sign_ins.holds(other, NOW)
    SignIns(engine).begin(NOW + HOUR)
    with writing(engine) as connection:
        assert forget_sign_ins(connection, NOW + HOUR) == 1
        assert forget_sign_ins(connection, NOW + HOUR) == 0
    with reading(engine) as connection:
        kept = connection.execute(select(func.count()).select_from(store.metadata.tables["sign_in"])).scalar_one()
    assert kept == 1
    assert sign_ins.holds(other, NOW + HOUR)
