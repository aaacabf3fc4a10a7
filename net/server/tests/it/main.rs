//! The server as its clients see it: a node in the simulated world, spoken to over its network.
#![cfg(test)]

mod admin;
mod client;
mod connections;
mod fetch;
mod node;
mod produce;
