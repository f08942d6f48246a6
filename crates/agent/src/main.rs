//! The binary `rutter-agent`: everything is in the library, so that `rutter` can be its own agent.

fn main() -> std::process::ExitCode {
    rutter_agent::main_from_env()
}
