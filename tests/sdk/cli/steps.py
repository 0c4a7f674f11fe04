"""What the tests of the command line write, and what they wait for."""

from tael import qr

KEY = "0x" + "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ID = "0x" + "12" * 32


def pending(world):
    block = world.node.rpc("eth_getBlockByNumber", "pending", False)
    return block["transactions"]


def dynamic(world, amount_minor=2_372, reference="INV-1"):
    return qr.write(world.code(amount_minor, reference=reference))
