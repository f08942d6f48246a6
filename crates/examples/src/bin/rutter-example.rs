//! The example programs by themselves, for tests and for use by hand; the server's binary offers the same as `rutter example`.

fn main() -> std::process::ExitCode {
    rutter_examples::run(std::env::args_os())
}
