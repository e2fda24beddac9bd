explain service/default/nobody examples/first-service
