route tests/golden/commands/routes -r http://gone.lan/
