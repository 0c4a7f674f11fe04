"""The client's services: one class for each kind of work, thin over the contracts."""

from tael.services.balances import Balances
from tael.services.directory import Directory
from tael.services.operations import Operations
from tael.services.participants import Participants
from tael.services.payments import Payments

__all__ = ["Balances", "Directory", "Operations", "Participants", "Payments"]
