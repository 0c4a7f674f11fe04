"""What the tests of the sender send, and how."""

from eth_utils import keccak

from tests.support.raw_contracts import creation, signer

PAUSED = keccak(text="TokenPaused()")[:4]
OWN_KEY = "5eed" * 16
PAYEE = "0x" + "Aa" * 20


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


def deploy(sender, runtime, who=None):
    return sender.send(
        who or signer(0), None, creation(runtime), reference="deploy"
    ).contract_address


def send(sender, who, to, data=b"", **options):
    return sender.send(who, to, data, reference="INV-1", **options)
