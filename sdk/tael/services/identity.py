"""Who acts: the key that signs, the participant it signs for, and the identifiers of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.errors import ConfigurationError
from tael.identifiers import MIN_SECRET_BYTES, Identifiers
from tael.secrets import Secret

if TYPE_CHECKING:
    from tael.signers import Signer

__all__ = ["Identity"]


class Identity:
    """Whose references these are, and who signs.

    Args:
        signer: Signs; None if nothing shall be written.
        participant: Whose references these are and whose money moves; differs from the signer's
            address if that is a delegate.
        reference_secret: The participant's secret for identifiers; None takes it from the signer.
    """

    def __init__(
        self, signer: Signer | None, participant: str | None, reference_secret: bytes | None
    ) -> None:
        self._signer = signer
        self._participant = participant
        self._reference_secret = None if reference_secret is None else _hide(reference_secret)
        self._identifiers: Identifiers | None = None

    @property
    def signer(self) -> Signer:
        """Who signs.

        Raises:
            ConfigurationError: This client can only read.
        """
        if self._signer is None:
            raise ConfigurationError("This client has no signer and can only read; pass one.")
        return self._signer

    @property
    def can_sign(self) -> bool:
        """Whether there is a signer."""
        return self._signer is not None

    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are."""
        return self._participant if self._participant is not None else self.signer.address

    @property
    def identifiers(self) -> Identifiers:
        """Derives the participant's identifiers.

        Raises:
            ConfigurationError: A delegate signs and there is no reference secret: taken from the
                delegate's key, the identifiers would change with it.
        """
        if self._identifiers is None:
            if self._reference_secret is not None:
                secret = bytes.fromhex(self._reference_secret.reveal())
                self._identifiers = Identifiers(self.participant, secret)
            elif self.signer.address != self.participant:
                raise ConfigurationError(
                    f"{self.signer.address} signs for {self.participant}: pass the participant's "
                    "reference_secret, so that identifiers do not depend on the delegate's key."
                )
            else:
                self._identifiers = Identifiers.from_signer(
                    self.participant, self.signer.sign_digest
                )
        return self._identifiers


def _hide(secret: bytes) -> Secret:
    if not isinstance(secret, bytes) or len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"The reference secret has at least {MIN_SECRET_BYTES} bytes.")
    return Secret(secret.hex())
