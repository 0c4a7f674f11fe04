"""Local chains for tests, demonstrations and development."""

from tael.testing.nodes import Node, NodeError, NodeKind, NodeStartError, start_node

__all__ = ["Node", "NodeError", "NodeKind", "NodeStartError", "start_node"]
