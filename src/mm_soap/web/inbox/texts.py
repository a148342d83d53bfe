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
    "list.unread": ("Olästa: {count}", "Unread: {count}"),
    "list.new": ("Oläst", "Unread"),
    "list.attachment": ("Bilaga", "Attachment"),
    "list.older": ("Äldre", "Older"),
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
    "back_to_list": ("Till listan", "To the list"),
    "list.newest": ("Nyaste", "Newest"),
    "place.inbox": ("Inkorg", "Inbox"),
    "place.archive": ("Arkiv", "Archive"),
    "place.trash": ("Papperskorg", "Trash"),
    "search.title": ("Sökresultat", "Search results"),
    "search.label": ("Sök bland meddelanden", "Search messages"),
    "search.do": ("Sök", "Search"),
    "search.none": ("Inget meddelande har alla orden.", "No message has all these words."),
    "folders.title": ("Mappar", "Folders"),
    "folders.change": ("Ändra mappar", "Change folders"),
    "folders.new": ("Ny mapp", "New folder"),
    "folders.name_of": ("Nytt namn på {name}", "New name of {name}"),
    "folders.do_make": ("Skapa", "Make"),
    "folders.do_rename": ("Byt namn", "Rename"),
    "folders.do_remove": ("Ta bort", "Remove"),
    "folders.do_empty": ("Töm papperskorgen", "Empty the trash"),
    "folders.wrong": (
        "Mappen behöver ett eget namn på högst 100 tecken.",
        "The folder needs a name of its own of at most 100 characters.",
    ),
    "folders.make": ("Mappen är skapad.", "The folder is made."),
    "folders.rename": ("Mappen har fått nytt namn.", "The folder has its new name."),
    "folders.remove": (
        "Mappen är borttagen. Innehållet ligger i inkorgen.",
        "The folder is gone. What it held is in the inbox.",
    ),
    "folders.empty": ("Papperskorgen är tömd.", "The trash is empty."),
    "act.archive": ("Arkivera", "Archive"),
    "act.restore": ("Lägg tillbaka", "Put back"),
    "act.unread": ("Markera som oläst", "Mark as unread"),
    "act.trash": ("Släng", "Throw away"),
    "act.delete": ("Radera för alltid", "Delete for ever"),
    "act.forward": ("Vidarebefordra", "Forward"),
    "act.move": ("Flytta", "Move"),
    "act.move_to": ("Flytta till", "Move to"),
    "done.archive": ("Meddelandet ligger i arkivet.", "The message is in the archive."),
    "done.restore": ("Meddelandet är tillbaka.", "The message is back."),
    "done.unread": ("Meddelandet är markerat som oläst.", "The message is marked as unread."),
    "done.trash": ("Meddelandet ligger i papperskorgen.", "The message is in the trash."),
    "done.delete": ("Meddelandet är raderat.", "The message is deleted."),
    "done.move": ("Meddelandet är flyttat.", "The message is moved."),
    "unread.title": ("Meddelandet är inte läst än", "The message is not read yet"),
    "unread.lead": (
        "Ägaren har låtit dig läsa det som redan är öppnat. Det här har ingen öppnat än.",
        "The owner lets you read what was opened already. Nobody has opened this one.",
    ),
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
