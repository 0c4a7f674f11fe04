"""The main job, from a QR code to settled interbank money: what `make demo` runs and proves."""
