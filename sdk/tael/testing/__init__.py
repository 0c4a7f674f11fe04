"""Local chains for tests, demonstrations and development."""

from tael.errors import NodeError, NodeStartError
from tael.testing.nodes import LocalNode, start_node
from tael.testing.programs import NodeKind, find_program

__all__ = ["LocalNode", "NodeError", "NodeKind", "NodeStartError", "find_program", "start_node"]
