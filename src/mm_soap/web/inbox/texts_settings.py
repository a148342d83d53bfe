"""The sentences of the inbox about whose mailbox it is, what is decided there, and what is signed."""

from __future__ import annotations

from typing import Final

SETTINGS: Final[dict[str, tuple[str, str]]] = {
    "mailboxes.title": ("Brevlådor", "Mailboxes"),
    "mailboxes.switch": ("Byt brevlåda", "Change mailbox"),
    "mailboxes.own": ("din egen", "your own"),
    "mailboxes.reads": ("läsa", "read"),
    "mailboxes.none": ("Du kan inte öppna någon annans brevlåda.", "You can open nobody else's mailbox."),
    "senders": ("Avsändare", "Senders"),
    "senders.title": ("Avsändare", "Senders"),
    "senders.lead": (
        "Avsändare som du väljer bort skickar på papper i stället. Du skriver under ändringen med e-legitimation.",
        "Senders that you deselect send on paper instead. You sign the change with e-identification.",
    ),
    "senders.accept": ("Jag tar emot digital post från", "I accept digital post from"),
    "senders.too_many": (
        "Högst 120 avsändare kan väljas bort.",
        "At most 120 senders can be deselected.",
    ),
    "contact": ("Aviseringar", "Notifications"),
    "contact.title": ("Aviseringar", "Notifications"),
    "contact.lead": (
        "När post kommer får du veta det här. Innehållet skickas aldrig.",
        "When post arrives you are told here. Its content is never sent.",
    ),
    "contact.email": ("E-post", "E-mail"),
    "contact.mobile": ("Mobilnummer", "Mobile number"),
    "contact.wanted": ("Meddela mig", "Tell me"),
    "contact.by_email": ("med e-post", "by e-mail"),
    "contact.by_sms": ("med sms", "by text message"),
    "contact.language": ("Språk i aviseringar", "Language of notifications"),
    "contact.save": ("Spara", "Save"),
    "contact.saved": ("Sparat.", "Saved."),
    "contact.wrong_email": (
        "Skriv en e-postadress, till exempel namn@example.se.",
        "Write an e-mail address, such as name@example.se.",
    ),
    "contact.wrong_mobile": ("Skriv ett nummer med 5 till 15 siffror.", "Write a number of 5 to 15 digits."),
    "account": ("Konto", "Account"),
    "account.title": ("Konto", "Account"),
    "account.none": ("Den här mottagaren har ingen digital brevlåda.", "This recipient has no digital mailbox."),
    "account.pending": (
        "Öppnandet av brevlådan hos {operator} väntar på fler underskrifter.",
        "The opening of the mailbox at {operator} waits for more signatures.",
    ),
    "account.elsewhere": (
        "Den här mottagaren har sin digitala brevlåda hos en annan operatör.",
        "This recipient has the digital mailbox at another operator.",
    ),
    "account.elsewhere_pending": (
        "En brevlåda håller på att öppnas hos en annan operatör.",
        "A mailbox is being opened at another operator.",
    ),
    "account.here": ("Brevlådan finns hos {operator}.", "The mailbox is at {operator}."),
    "account.do_register": ("Öppna brevlåda hos {operator}", "Open a mailbox at {operator}"),
    "account.do_move": ("Flytta brevlådan till {operator}", "Move the mailbox to {operator}"),
    "account.do_leave": ("Avsluta brevlådan", "Close the mailbox"),
    "account.elsewhere_how": (
        "För att byta operatör: logga in hos den nya och välj att flytta dit.",
        "To change operator: sign in at the new one and choose to move there.",
    ),
    "sign.do": ("Skriv under och spara", "Sign and save"),
    "sign.title": ("Ingenting ändrades", "Nothing was changed"),
    "sign.reason": ("Registret svarade", "The register answered"),
    "sign.refused": ("Registret tog inte emot underskriften.", "The register did not accept the signature."),
    "sign.unsure": (
        "Registret svarade inte. Titta efter om en stund om ändringen gjordes.",
        "The register did not answer. Look in a while whether the change was made.",
    ),
    "sign.other": ("Det var inte du som skrev under.", "It was not you who signed."),
    "signed.senders": ("Ändringen är underskriven och sparad.", "The change is signed and saved."),
    "signed.register": ("Brevlådan är öppnad.", "The mailbox is open."),
    "signed.move": ("Brevlådan är flyttad hit.", "The mailbox has moved here."),
    "signed.leave": ("Brevlådan är avslutad.", "The mailbox is closed."),
    "signed.pending": (
        "Din underskrift är sparad. Fler måste skriva under innan ändringen gäller.",
        "Your signature is kept. More must sign before the change counts.",
    ),
    "agreement.senders": (
        "{at}\n\nBrevlåda: {name}\n\nJag tar emot digital post från alla anslutna avsändare utom: {senders}.",
        "{at}\n\nMailbox: {name}\n\nI accept digital post from all connected senders except: {senders}.",
    ),
    "agreement.senders_all": (
        "{at}\n\nBrevlåda: {name}\n\nJag tar emot digital post från alla anslutna avsändare.",
        "{at}\n\nMailbox: {name}\n\nI accept digital post from all connected senders.",
    ),
    "agreement.register": (
        "{at}\n\nMottagare: {name}\n\nJag vill ha en digital brevlåda hos {operator}.",
        "{at}\n\nRecipient: {name}\n\nI want a digital mailbox at {operator}.",
    ),
    "agreement.move": (
        "{at}\n\nMottagare: {name}\n\nJag vill flytta den digitala brevlådan till {operator}.",
        "{at}\n\nRecipient: {name}\n\nI want to move the digital mailbox to {operator}.",
    ),
    "agreement.leave": (
        "{at}\n\nMottagare: {name}\n\nJag vill avsluta den digitala brevlådan hos {operator}.",
        "{at}\n\nRecipient: {name}\n\nI want to close the digital mailbox at {operator}.",
    ),
    "forward.title": ("Vidarebefordra", "Forward"),
    "forward.recipient": (
        "Till: person- eller organisationsnummer, 12 siffror",
        "To: personal or organisation number, 12 digits",
    ),
    "forward.subject": ("Rubrik", "Subject"),
    "forward.prefix": ("VB", "Fwd"),
    "forward.text": ("Dina ord", "Your words"),
    "forward.do": ("Skicka", "Send"),
    "forward.done": ("Meddelandet är vidarebefordrat.", "The message is forwarded."),
    "forward.yourself": ("Det är den här brevlådans egen mottagare.", "That is this mailbox's own recipient."),
    "forward.number_wrong": ("Numret är inte rätt skrivet: 12 siffror.", "The number is not written right: 12 digits."),
    "forward.subject_wrong": ("Skriv en rubrik på högst 255 tecken.", "Write a subject of at most 255 characters."),
    "forward.words_wrong": ("Texten kan inte skickas som den är.", "The text cannot be sent as it is."),
    "forward.too_old": (
        "Originalet går inte att vidarebefordra längre: det är för gammalt.",
        "The original cannot be forwarded any more: it is too old.",
    ),
    "forward.not_reached": ("Mottagaren kan inte nås digitalt.", "The recipient cannot be reached digitally."),
    "forward.refused": (
        "Mottagarens operatör tog inte emot meddelandet.",
        "The recipient's operator did not accept it.",
    ),
    "forward.unsure": (
        "Mottagarens operatör svarade inte. Skicka samma ord igen: det kommer inte fram två gånger.",
        "The recipient's operator did not answer. Send the same words again: they do not arrive twice.",
    ),
}
"""See `mm_soap.web.inbox.texts.TEXTS`."""
