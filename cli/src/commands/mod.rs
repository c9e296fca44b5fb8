//! One file per command.

mod demo;
mod jobs;
mod plan;
mod run;
mod submit;
mod workers;

use clap::CommandFactory;

use crate::{
    args::{Arguments, Command},
    failure::Failure,
};

/// Does what the arguments say.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let output = arguments.output;
    match arguments.command {
        Command::Plan(args) => plan::run(&args, &output).await,
        Command::Run(args) => run::run(&args, &output).await,
        Command::Submit(args) => submit::run(&args, &output).await,
        Command::Jobs(args) => jobs::list(&args, &output).await,
        Command::Show(args) => jobs::show(&args, &output).await,
        Command::Watch(args) => jobs::watch(&args, &output).await,
        Command::Cancel(args) => jobs::cancel(&args, &output).await,
        Command::Delete(args) => jobs::delete(&args, &output).await,
        Command::Workers(args) => workers::list(&args, &output).await,
        Command::Demo(args) => demo::run(&args, &output).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "rechunk", &mut std::io::stdout());
            Ok(())
        }
    }
}
