check tests/golden/commands/nginx-own-class --as nginx
