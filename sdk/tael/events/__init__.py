"""The contracts' events as typed values, decoded from raw logs by slicing.

Each class declares itself, once, in the module of its contract: topic, decoder and the index's
layout follow. A test compares the declarations with the ABIs and the values with web3's own
decoding. Amounts are minor units.

>>> decode({"address": "0x" + "11" * 20, "topics": [], "data": "0x"}) is None
True
"""

from tael.events.declaring import canonical_signature as canonical_signature
from tael.events.declaring import declared as declared
from tael.events.declaring import event as event
from tael.events.declaring import topic_of as topic_of
from tael.events.decoding import decode as decode
from tael.events.decoding import decode_all as decode_all
from tael.events.decoding import decode_own as decode_own
from tael.events.escrow import *
from tael.events.event import Event as Event
from tael.events.event import Position as Position
from tael.events.governance import *
from tael.events.token import *
