"""Records that could not be synced → dead letters: what came, without secrets, and why it stopped there."""

from __future__ import annotations

import hashlib

import msgspec

from ..hashing import decode_exact, encode_json
from ..mask import Mask
from ..redact import Redactor
from ..state.rows import DeadLetter
from .items import Bad, Item

MAX_PAYLOAD_BYTES = 64 * 1024


def unnamed(raw: bytes) -> str:
    """What stands for the identity of a record that has none that could be read."""
    return f"unnamed-{hashlib.sha256(raw).hexdigest()[:16]}"


class Letters:
    """Makes the dead letters of one run."""

    def __init__(self, *, stream: str, run_id: str, mapping: str, redactor: Redactor, mask: Mask | None = None) -> None:
        self._stream = stream
        self._run_id = run_id
        self._mapping = mapping
        self._redactor = redactor
        self._mask = mask or Mask(())

    def letter(self, entry: Item | Bad, *, letter_id: str, now: float) -> DeadLetter:
        """One dead letter. A record without an identity is known by its content, so that it dies only once."""
        payload, whole = self._payload(entry.raw)
        why = entry.why
        return DeadLetter(
            id=letter_id,
            stream=self._stream,
            source_id=entry.source_id or unnamed(entry.raw),
            version=entry.version,
            stage=why.stage,
            failure=why.failure,
            reason=self.reason(entry)[:1000],
            payload=payload,
            whole=whole,
            attempts=1,
            first_at=now,
            last_at=now,
            run_id=self._run_id,
            mapping=self._mapping,
        )

    def reason(self, entry: Item | Bad) -> str:
        """Why it is dead, without secrets and without the record's masked values, which a vendor may repeat."""
        text = self._redactor.text(entry.why.reason)
        if not self._mask or not entry.raw:
            return text
        try:
            return self._mask.text(text, self._mask.texts(decode_exact(entry.raw)))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return text

    def _payload(self, raw: bytes) -> tuple[bytes | None, bool]:
        if not raw:
            return None, False
        try:
            value = decode_exact(raw)
            shown = self._redactor.value(value)
            payload, whole = (raw, True) if shown == value else (encode_json(shown), False)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError):
            payload, whole = self._redactor.excerpt(raw, MAX_PAYLOAD_BYTES).encode("utf-8", "replace"), False
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload, whole = payload[:MAX_PAYLOAD_BYTES], False
        return payload, whole
