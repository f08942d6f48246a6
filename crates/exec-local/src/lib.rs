//! Executor for one machine: supervised child processes, packed by CPU and memory
