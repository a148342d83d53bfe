"""Every sentence of the inbox, in Swedish and English."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = {"sv": "Svenska", "en": "English"}

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "skip": ("Hoppa till innehållet", "Skip to the content"),
    "pages": ("Sidor", "Pages"),
    "language": ("Språk", "Language"),
    "inbox": ("Inkorg", "Inbox"),
    "sign_out": ("Logga ut", "Sign out"),
    "whose": ("Brevlåda: {name}", "Mailbox: {name}"),
    "back": ("Till inkorgen", "To the inbox"),
    "footer": (
        "Du loggas ut efter {minutes} minuter utan aktivitet.",
        "You are signed out after {minutes} minutes without activity.",
    ),
    "start.title": ("Din digitala brevlåda", "Your digital mailbox"),
    "start.lead": (
        "Här läser du post från myndigheter, kommuner och regioner.",
        "Here you read post from authorities, municipalities and regions.",
    ),
    "start.sign_in": ("Logga in med e-legitimation", "Sign in with e-identification"),
    "start.test": (
        "Det här är en demonstration. Använd inga riktiga personnummer.",
        "This is a demonstration. Use no real personal numbers.",
    ),
    "signed_out.title": ("Du är utloggad", "You are signed out"),
    "signed_out.lead": (
        "Stäng webbläsaren om andra använder den här datorn.",
        "Close the browser if others use this computer.",
    ),
    "sign_in.title": ("Inloggningen gick inte", "You could not be signed in"),
    "sign_in.failed": (
        "Svaret från e-legitimationen kunde inte godtas, eller var för gammalt. Försök igen.",
        "The answer from the e-identification could not be accepted, or was too old. Try again.",
    ),
    "sign_in.given_up": ("Du avbröt inloggningen.", "You broke off the sign-in."),
    "sign_in.level": (
        "Din e-legitimation har för låg tillitsnivå för den här brevlådan. Använd en på nivå 3.",
        "Your e-identification has too low an assurance level for this mailbox. Use one of level 3.",
    ),
    "sign_in.no_number": (
        "E-legitimationen lämnade inget personnummer. Försök med en annan.",
        "The e-identification gave no personal number. Try another one.",
    ),
    "sign_in.away": (
        "E-legitimationstjänsten svarar inte just nu. Försök igen om en stund.",
        "The e-identification service does not answer now. Try again in a while.",
    ),
    "none.title": ("Du har ingen brevlåda här", "You have no mailbox here"),
    "none.lead": (
        "Det finns ingen öppen brevlåda hos {operator} för dig.",
        "There is no open mailbox for you at {operator}.",
    ),
    "closed.title": ("Du kan inte öppna den här brevlådan", "You cannot open this mailbox"),
    "closed.lead": (
        "Länken går till en annan brevlåda än de du har rätt att öppna.",
        "The link leads to another mailbox than those that you may open.",
    ),
    "missing.title": ("Sidan finns inte", "There is no such page"),
    "missing.lead": (
        "Meddelandet kan vara raderat, eller länken fel.",
        "The message may have been deleted, or the link is wrong.",
    ),
    "old.title": ("Formuläret är för gammalt", "The form is too old"),
    "old.lead": ("Gå tillbaka, ladda om sidan och försök igen.", "Go back, load the page again and try once more."),
    "error.title": ("Något gick fel", "Something went wrong"),
    "error.lead": ("Försök igen om en stund.", "Try again in a while."),
    "away.title": ("Tjänsten svarar inte just nu", "The service does not answer now"),
    "list.none": ("Här finns inga meddelanden.", "There are no messages here."),
    "list.unread": ("{count} olästa", "{count} unread"),
    "list.new": ("Oläst", "Unread"),
    "list.attachment": ("Bilaga", "Attachment"),
    "list.newer": ("Nyare", "Newer"),
    "list.older": ("Äldre", "Older"),
    "list.page": ("Sida {page} av {pages}", "Page {page} of {pages}"),
    "list.pages": ("Bläddra", "Turn pages"),
    "kind.notification": ("Avisering", "Notification"),
    "kind.forwarded": ("Vidarebefordrat", "Forwarded"),
    "message.from": ("Från", "From"),
    "message.received": ("Mottaget", "Received"),
    "message.forwarded": ("Vidarebefordrat av {name}", "Forwarded by {name}"),
    "message.text": ("Meddelandets text", "The message's text"),
    "message.alone": ("Öppna texten för sig", "Open the text by itself"),
    "message.attachments": ("Bilagor", "Attachments"),
    "message.open": ("Öppna", "Open"),
    "message.download": ("Ladda ner", "Download"),
    "message.mismatch": (
        "Filen är inte av den sort som avsändaren angav. Öppna den inte om du inte väntar dig den.",
        "The file is not of the kind that the sender stated. Do not open it unless you expect it.",
    ),
    "message.removed": ("Borttaget för din säkerhet: {what}.", "Removed for your safety: {what}."),
    "removed.scripts": ("program", "scripts"),
    "removed.forms": ("formulär", "forms"),
    "removed.embedded": ("inbäddade sidor", "embedded pages"),
    "removed.media": ("ljud, video och teckningar", "sound, video and drawings"),
    "removed.orders": ("instruktioner till webbläsaren", "instructions to the browser"),
    "removed.styles": ("formatering", "formatting"),
    "removed.pictures": ("bilder som hämtas från nätet", "pictures that would be fetched"),
    "removed.links": ("länkar av okänt slag", "links of an unknown kind"),
    "removed.other": ("okända delar", "unknown parts"),
    "removed.too_complex": ("hela texten, som är för invecklad att visa", "the whole text, too complex to show"),
}
"""A sentence by its key: Swedish, English. What stands in braces is filled in by whoever shows it."""


def told(language: str, key: str, **values: object) -> str:
    """Return a sentence.

    Args:
        language: ``sv`` or ``en``.
        key: of `TEXTS`.
        values: what stands for the words in braces.
    """
    swedish, english = TEXTS[key]
    return (english if language == "en" else swedish).format(**values)
