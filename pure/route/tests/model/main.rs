//! The routing model carries what each language can say: cases built by hand as their dialects
//! will build them, compiled, and asked.

mod ask;
mod build;
mod gateway_api;
mod leaf;
mod nginx;
mod traefik;
