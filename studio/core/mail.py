"""Outbound e-mail: plain text by Django's mail, to the console unless the operator says otherwise.

It is sent once here; whoever must be sure of it writes it to an outbox first.
"""

import smtplib
from email.errors import MessageError

import msgspec
from django.core.mail import EmailMessage


class MailFailed(Exception):
    """The mail server did not take it."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person. `id` becomes its Message-ID, so that a second copy is known."""

    id: str
    to: str
    subject: str
    text: str


def send_mail(mail: Mail) -> None:
    """Hand a message to the mail server. Raises: MailFailed."""
    message = EmailMessage(
        subject=mail.subject,
        body=mail.text,
        to=[mail.to],
        headers={"Message-ID": f"<{mail.id}@studio>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (smtplib.SMTPException, OSError, MessageError, ValueError) as error:
        # ValueError: Django's BadHeaderError, for a line break where none can be.
        raise MailFailed(f"The mail server did not take it ({type(error).__name__}).") from error
