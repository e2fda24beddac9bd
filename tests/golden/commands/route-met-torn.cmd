route tests/golden/commands/handshakes -r https://torn.lan/
