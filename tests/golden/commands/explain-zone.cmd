explain service/default/web tests/golden/commands/zones --node node-1 --nginx.enable-topology-aware-routing
