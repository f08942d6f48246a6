//! End-to-end tests: drive the built binary as users, attackers and faults do
