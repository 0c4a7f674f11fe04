"""Start a local chain with everything deployed and funded, until Ctrl-C."""

from __future__ import annotations

import argparse

from tael import devnet


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", choices=("anvil", "ganache"), default="anvil")
    parser.add_argument(
        "--port", type=int, default=devnet.PORT, help="wanted; a free one is used if it is taken"
    )
    parser.add_argument("--chain-id", type=int, default=1337)
    parser.add_argument(
        "--block-time", type=int, metavar="SECONDS", help="default: a block per transaction"
    )
    parser.add_argument("--manifest", metavar="FILE", help="default: a temporary file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    return devnet.run(
        options.node,
        port=options.port,
        chain_id=options.chain_id,
        block_time_seconds=options.block_time,
        manifest_path=options.manifest,
        as_json=options.json,
        show=lambda text: print(text, flush=True),
    )


if __name__ == "__main__":
    raise SystemExit(main())
