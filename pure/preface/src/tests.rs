mod client_hello;
mod opening;
mod proxy;
