"""Filling the databases of a demonstration."""

from __future__ import annotations

from collections.abc import Mapping

from mm_soap.bootstrap import databases, mailbox_services
from mm_soap.clock import system_clock
from mm_soap.config import Settings
from mm_soap.contract import ports
from mm_soap.demonstration import DemoWorld
from mm_soap.far import Account, Dispatcher, Operator, Register, Sender
from mm_soap.service_supplier import MailboxService


def seed(settings: Settings, world: DemoWorld) -> None:
    """Fill the databases of a demonstration, and close them."""
    opened = databases(settings)
    services = {
        each.organisation: service for each, service in zip(settings.operator, mailbox_services(settings), strict=True)
    }
    try:
        _fill(settings, world, Register(opened["far"]), services)
    finally:
        for database in (*opened.values(), *(service.database for service in services.values())):
            database.dispose()


def _fill(settings: Settings, world: DemoWorld, register: Register, services: Mapping[str, MailboxService]) -> None:
    register_operators(settings, register)
    for sender in world.senders:
        register.add_sender(Sender(sender.number, sender.name))
    for dispatcher in world.dispatchers:
        register.add_dispatcher(Dispatcher(dispatcher.number, dispatcher.name, dispatcher.signs_for))
    accounts = [
        Account(each.recipient, each.operator, pending=each.state == "pending", last_registration=system_clock())
        for each in world.accounts
    ]
    register.add_accounts(accounts)
    for account in world.accounts:
        if account.state == "active":
            services[account.operator].open_mailbox(account.recipient)
        for sender_number in account.deselected:
            register.deselect(account.recipient, sender_number)
            services[account.operator].deselect(account.recipient, sender_number)


def register_operators(settings: Settings, register: Register) -> None:
    """Write into the register of a demonstration where the operators of these settings are served now."""
    for operator in settings.operator:
        pages = f"{settings.base_url}{operator.path}"
        address = f"{pages}{ports()['service'].path}"
        register.add_operator(Operator(operator.organisation, operator.name, address, address, pages))
