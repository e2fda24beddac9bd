route tests/golden/commands/routes -r web.lan
