route tests/golden/commands/handshakes -r https://db.lan/
