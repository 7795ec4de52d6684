"""Pulumi's "passphrase" secrets manager, to the byte: either engine reads the other's state.

A key is PBKDF2-SHA256 of the passphrase with 1,000,000 rounds; a value is AES-256-GCM, written
`v1:<nonce>:<ciphertext>` in base64. The manager's state is a salt and the word "pulumi" under the key, which tells a
wrong passphrase from a right one. The key is derived only when a secret is met: it costs a good part of a second.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final

from diversite.errors import OfflineError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MANAGER_TYPE: Final = "passphrase"
PASSPHRASE_VARIABLE: Final = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - the name of a variable
PASSPHRASE_FILE_VARIABLE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105 - the same
_ROUNDS: Final = 1_000_000
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_CHECK_WORD: Final = "pulumi"
_PARTS: Final = 3


class Crypter:
    """Encrypts and decrypts the secrets of one stack; asks for the passphrase at the first secret."""

    def __init__(self, stack: str, salt: str = "") -> None:
        """`salt` is the manager's state (`v1:<salt>:<check>`), empty for a stack that has no secret yet."""
        self.salt = salt
        self._stack = stack
        self._cipher: AESGCM | None = None

    def encrypt(self, text: str) -> str:
        """The ciphertext of a text.

        Raises:
            OfflineError: no passphrase is set, or it is not the one of this stack.
        """
        return _seal(self._opened(), text)

    def decrypt(self, ciphertext: str) -> str:
        """The text of a ciphertext; raises as `encrypt` does."""
        try:
            return _open(self._opened(), ciphertext)
        except ValueError as error:
            raise OfflineError(
                f"stack {self._stack}: a secret cannot be decrypted; was it encrypted for another stack?"
            ) from error

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = self._unlock() if self.salt else self._found()
        return self._cipher

    def _unlock(self) -> AESGCM:
        version, salt, check = _split(self.salt)
        cipher = _cipher(_passphrase(self._stack), b64decode(salt))
        try:
            right = version == "v1" and _open(cipher, check) == _CHECK_WORD
        except _SealedOtherwiseError:
            right = False
        if not right:
            raise OfflineError(f"stack {self._stack}: {PASSPHRASE_VARIABLE} is not the passphrase of this stack.")
        return cipher

    def _found(self) -> AESGCM:
        salt = os.urandom(_SALT_BYTES)
        cipher = _cipher(_passphrase(self._stack), salt)
        self.salt = f"v1:{b64encode(salt).decode()}:{_seal(cipher, _CHECK_WORD)}"
        return cipher


def _passphrase(stack: str) -> str:
    if PASSPHRASE_VARIABLE in os.environ:
        return os.environ[PASSPHRASE_VARIABLE]
    if path := os.environ.get(PASSPHRASE_FILE_VARIABLE):
        return Path(path).read_text(encoding="utf-8").strip()
    raise OfflineError(
        f"stack {stack} has a secret, and no passphrase is set: a secret is never stored in plain text. "
        f"Set {PASSPHRASE_VARIABLE} or {PASSPHRASE_FILE_VARIABLE} and run it again."
    )


class _SealedOtherwiseError(ValueError):
    """It was sealed with another key, or is not whole."""


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    # Imported only where there is a secret: it takes a good part of what a preview without one takes.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, _KEY_BYTES))


def _seal(cipher: AESGCM, text: str) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return f"v1:{b64encode(nonce).decode()}:{b64encode(cipher.encrypt(nonce, text.encode(), None)).decode()}"


def _open(cipher: AESGCM, sealed: str) -> str:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  as above

    _, nonce, ciphertext = _split(sealed)
    try:
        return cipher.decrypt(b64decode(nonce), b64decode(ciphertext), None).decode()
    except InvalidTag as error:
        raise _SealedOtherwiseError from error


def _split(text: str) -> tuple[str, str, str]:
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS:
        raise ValueError(f"expected v1:<base64>:<base64>, got {len(parts)} parts")
    return parts[0], parts[1], parts[2]
