route tests/golden/commands/handshakes -r https://strict.lan/
