explain nobody examples/first-service
