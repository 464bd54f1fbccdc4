"""The daemon's durable memory. Opened by `ledger.Ledger.open`; its values are in `records`."""
