explain svc/twice tests/golden/commands/namespaces
