//! The server as its clients see it: a node in the simulated world, spoken to over its network.
#![cfg(test)]

mod admin;
mod client;
mod cluster;
mod connections;
mod consumer_groups;
mod fetch;
mod groups;
mod node;
mod offsets;
mod produce;
mod quotas;
mod sendfile;
mod sessions;
mod telemetry;
mod topics;
