"""The coupon module of Kerf, in plain Python: docs/seam-protocol.md and contract.json are what it keeps to."""
