explain svc/web tests/golden/commands/namespaces
