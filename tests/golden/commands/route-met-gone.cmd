route tests/golden/commands/handshakes -r https://gone.lan/
