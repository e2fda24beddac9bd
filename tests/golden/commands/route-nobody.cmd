route tests/golden/commands/routes -r https://web.example/
