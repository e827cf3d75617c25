"""Secrets of webhooks that are replaced while the service runs: their files are looked at again, every few seconds."""

from __future__ import annotations

import logging

from .declare import Webhook
from .errors import SettingsError
from .http.auth import LOOK_EVERY_S
from .settings import Settings
from .webhooks import Handshake, Verifier, handshake_of, verifier_of

log = logging.getLogger(__name__)


class Secrets:
    """What proves a declared webhook, made again when the files of its secrets change: they rotate without a restart."""

    def __init__(self, webhook: Webhook, settings: Settings) -> None:
        self._webhook = webhook
        self._settings = settings
        self._verifier = verifier_of(webhook, settings)
        self._handshake = handshake_of(webhook, settings)
        further = (*webhook.secrets, webhook.handshake_secret)
        values = [settings.value(webhook.secret), *filter(None, map(settings.found, further))]
        self._values = [value for value in values if value.can_change]
        self._look_at = float("-inf")

    def verifier(self, now: float) -> Verifier:
        """The one that counts. Files are looked at every few seconds."""
        self._look(now)
        return self._verifier

    def handshake(self, now: float) -> Handshake | None:
        """What answers a GET, with the word that counts; None when a GET is none of the webhook's."""
        self._look(now)
        return self._handshake

    def _look(self, now: float) -> None:
        if self._values and now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self.renew()

    def renew(self) -> bool:
        """Look at the files now. True when the secrets are others."""
        changed = [value.reload() for value in self._values]  # all of them, not only up to the first that changed
        if not any(changed):
            return False
        topics = ", ".join(self._webhook.topics)
        for value in self._values:
            for word in value.text.split():
                self._settings.redactor.register(word)
        try:
            verifier = verifier_of(self._webhook, self._settings)
            handshake = handshake_of(self._webhook, self._settings)
        except SettingsError as error:
            log.error("the secrets of the webhook for %s stay as they were: %s", topics, error)
            return False
        self._verifier, self._handshake = verifier, handshake
        log.warning("the webhook for %s takes other secrets now: %d of them", topics, self._verifier.count)
        return True
