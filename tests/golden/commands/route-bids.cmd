route tests/golden/commands/routes -r http://web.lan/api -H x-canary:always -o json
