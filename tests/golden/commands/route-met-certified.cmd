route tests/golden/commands/handshakes -r https://certified.lan/
