"""What the tests of an outbox send, and how."""

from eth_utils import keccak, to_checksum_address

from tests.support.raw_contracts import creation, signer
from tests.support.sending import create, order

PAUSED = keccak(text="TokenPaused()")[:4]
OWN_KEY = "5eed" * 16
PAYEE = to_checksum_address("0x" + "aa" * 20)


class CountingSigner:
    """Fits the `Signer` protocol and counts what it was asked to sign."""

    def __init__(self, inner):
        self.inner = inner
        self.address = inner.address
        self.signed = 0

    def sign_digest(self, digest):
        self.signed += 1
        return self.inner.sign_digest(digest)

    def sign_transaction(self, transaction):
        self.signed += 1
        return self.inner.sign_transaction(transaction)


def count(node, who):
    return int(node.rpc("eth_getTransactionCount", who.address, "latest"), 16)


def deploy(chain, runtime):
    return create(chain, signer(0), creation(runtime))


def send(outbox, who, to, data=b"", *, value=0):
    return outbox.send(who, order(who, to, data, value=value))
