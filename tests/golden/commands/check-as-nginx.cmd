check tests/golden/commands/nginx --as nginx
