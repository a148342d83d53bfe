"""Databases of the versions before."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from alembic import command
from sqlalchemy import Engine, select, text

from mm_soap.far.store import metadata
from mm_soap.storage import migrate, migration, reading, writing

REQUEST = (
    "INSERT INTO account_request (id, recipient, kind, state, operator, agreement_text, requested_on, begun, changed)"
    " VALUES ({id}, 192705178354, 'register', 'completed', '165560000019', 'x', '2026-01-01', '2026-01-01 00:00:00',"
    " '2026-01-01 00:00:00')"
)
STEP = (
    "INSERT INTO account_history (id, request, recipient, at, step, operator, call_id, sentence)"
    " VALUES ({id}, {id}, 192705178354, '2026-01-01 00:00:00', 'completed', '165560000019', 'c', 's')"
)
SIGNATURE = (
    "INSERT INTO account_signature (request, signer, history, name, signature, certificate, encoding, agreement_text,"
    " sentence, received) VALUES ({id}, '192705178354', {id}, 'n', :signature, 'c', 'UTF-8', 'x', 's',"
    " '2026-01-01 00:00:00')"
)
CONSENT = (
    "INSERT INTO consent (recipient, user_identity, kind, given) VALUES ({recipient}, '189001619809', 'ConsentRead',"
    " '2026-01-01 00:00:00')"
)


def test_what_was_signed_and_consented_to_before(engine: Engine) -> None:
    config = migration._config("far")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "far0004")
    with writing(engine) as connection:
        operator = "INSERT INTO operator (number, name, service_address, internal_address) VALUES"
        connection.execute(text(f"{operator} ('165560000019', 'B', 'http://o', 'http://o')"))
        connection.execute(
            text(
                "INSERT INTO account (recipient, account_type, pending, operator)"
                " VALUES (192705178354, 'Secure', false, '165560000019')"
            )
        )
        for key, signature in ((1, b"first"), (2, b"second"), (3, b"first")):
            for statement in (REQUEST, STEP, SIGNATURE):
                named = {"signature": signature} if statement is SIGNATURE else {}
                connection.execute(text(statement.format(id=key)), named)
        for recipient in ("192705178354", "191212121212"):
            connection.execute(text(CONSENT.format(recipient=recipient)))
    before = datetime.now(UTC)
    migrate(engine, "far")
    consent, used = metadata.tables["consent"], metadata.tables["used_signature"]
    with reading(engine) as connection:
        assert dict(connection.execute(select(used)).all()) == {
            sha256(b"first").hexdigest(): 1,
            sha256(b"second").hexdigest(): 2,
        }
        ended = dict(connection.execute(select(consent.c.recipient, consent.c.cancelled)).all())
    assert ended[192705178354] is None
    assert before <= ended[191212121212] <= datetime.now(UTC)


CHOICE = "INSERT INTO sender_choice (recipient, sender, accepted) VALUES ({recipient}, '162021004748', false)"


def test_who_chose_before_is_known_afterwards(engine: Engine) -> None:
    config = migration._config("far")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "far0006")
    account = "INSERT INTO account (recipient, account_type, pending, operator) VALUES"
    with writing(engine) as connection:
        operator = "INSERT INTO operator (number, name, service_address, internal_address) VALUES"
        connection.execute(text(f"{operator} ('165560000019', 'B', 'http://o', 'http://o')"))
        connection.execute(text("INSERT INTO sender (number, name) VALUES ('162021004748', 'Kommun A')"))
        for recipient in ("192705178354", "191212121212", "189001619809"):
            connection.execute(text(f"{account} ({recipient}, 'Secure', false, '165560000019')"))
        connection.execute(text(CHOICE.format(recipient="192705178354")))
    migrate(engine, "far")
    chose = select(metadata.tables["account"].c.recipient).where(metadata.tables["account"].c.has_choices)
    with reading(engine) as connection:
        assert connection.execute(chose).scalars().all() == [192705178354]
    # Whoever writes a choice from now on, the database notes it.
    with writing(engine) as connection:
        connection.execute(text(CHOICE.format(recipient="191212121212")))
        connection.execute(text("DELETE FROM account WHERE recipient = 192705178354"))
        connection.execute(text(f"{account} (192705178354, 'Secure', false, '165560000019')"))
    with reading(engine) as connection:
        assert connection.execute(chose).scalars().all() == [191212121212]
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "far0006")
    with writing(engine) as connection:
        connection.execute(text(CHOICE.format(recipient="189001619809")))
    migrate(engine, "far")
    with reading(engine) as connection:
        assert sorted(connection.execute(chose).scalars()) == [189001619809, 191212121212]
