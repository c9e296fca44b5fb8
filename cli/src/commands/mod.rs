//! One file per command.

mod demo;
mod doctor;
mod gc;
mod info;
mod jobs;
mod plan;
mod run;
mod submit;
mod workers;

use clap::CommandFactory;

use crate::{
    args::{Arguments, Command, CopyArgs, PlanArgs, RunArgs, When},
    console::say_text,
    failure::Failure,
    interrupt::Interrupts,
};

/// Does what the arguments say.
pub(crate) async fn run(arguments: Arguments, interrupts: &Interrupts) -> Result<(), Failure> {
    let Arguments { command, output: asked } = arguments;
    // Plans have pictures, and nothing else has.
    if let Command::Plan(PlanArgs { copy, stores, machine, assume_dense }) = &command {
        let list = if *assume_dense { Some(When::Never) } else { copy.list };
        return plan::run(&CopyArgs { list, ..copy.clone() }, stores, machine, asked.format).await;
    }
    if let Command::Run(RunArgs { copy, stores, machine, dry_run: true }) = &command {
        return plan::run(copy, stores, machine, asked.format).await;
    }
    let output = asked.without_pictures()?;
    match command {
        // Shown above.
        Command::Plan(_) => Ok(()),
        Command::Run(args) => run::run(&args, &output, interrupts).await,
        Command::Submit(args) => submit::run(&args, &output, interrupts).await,
        Command::Jobs(args) => jobs::list(&args, &output).await,
        Command::Show(args) => jobs::show(&args, &output).await,
        Command::Watch(args) => jobs::watch(&args, &output, interrupts).await,
        Command::Cancel(args) => jobs::cancel(&args, &output, interrupts).await,
        Command::Retry(args) => jobs::retry(&args, &output).await,
        Command::Delete(args) => jobs::delete(&args, &output).await,
        Command::Workers(args) => workers::list(&args, &output).await,
        Command::Doctor(args) => doctor::run(&args, &output).await,
        Command::Gc(args) => gc::run(&args, &output).await,
        Command::Info(args) => info::run(&args, &output).await,
        Command::Demo(args) => demo::run(&args, &output, interrupts).await,
        Command::Completions { shell } => {
            // Into memory first: it panics where its reader has gone.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "rechunk", &mut script);
            say_text!("{}", String::from_utf8_lossy(&script));
            Ok(())
        }
    }
}
