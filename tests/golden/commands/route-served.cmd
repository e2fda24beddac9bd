route tests/golden/commands/routes -r http://web.lan/api
