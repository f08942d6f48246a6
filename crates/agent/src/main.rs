//! The binary `rutter-agent`: everything is in the library, so that `rutter` can be its own agent.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => rutter_agent::main_from_env(),
        ["run"] => rutter_agent::main_in_container(Vec::new()),
        ["run", "--", own_command @ ..] => {
            rutter_agent::main_in_container(own_command.iter().map(|&word| word.to_owned()).collect())
        }
        ["--version"] => {
            println!("rutter-agent {}", rutter_agent::BUILD);
            ExitCode::SUCCESS
        }
        ["install", root] => rutter_agent::install(Path::new(root)),
        _ => {
            eprintln!("rutter-agent: usage: rutter-agent [run [-- COMMAND…] | install FOLDER | --version]");
            ExitCode::FAILURE
        }
    }
}
